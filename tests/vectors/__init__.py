"""Cases as data, which other languages can use, and the tests that hold the product to them."""
