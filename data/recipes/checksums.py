"""Write data/SHA256SUMS for the weights, the rendered pictures and the styles; `sha256sum --check SHA256SUMS`
verifies it too.

    python data/recipes/checksums.py
"""

import publishing

if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    publishing.write_checksums()
