"""A cube compared with its sources: `--verify` reads them apart from the readers, `differences` with them."""
