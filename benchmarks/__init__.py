"""Ratios against bare libraries, measured side by side in one run. Not part of CI."""
