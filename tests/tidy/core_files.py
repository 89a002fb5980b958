"""Print the files of the pure core, as coverage takes them: `python -m tests.tidy.core_files`.

The core is what the import contract `pure` names, so that no module can leave one of the two alone.
"""

import sys

from tests.tidy.configuration import contracts, texts_at


def core_files() -> list[str]:
    """The files of the pure core as patterns: a package with all that it holds, a module by itself."""
    modules = [name.replace(".", "/") for name in texts_at(contracts()["pure"], "source_modules")]
    return [f"{path}.py" if "/" in path else f"{path}/*" for path in modules]


if __name__ == "__main__":
    sys.stdout.write(",".join(core_files()) + "\n")
