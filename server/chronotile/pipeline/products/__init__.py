"""Files of items as they are: whole products, single files, lists of what there is."""
