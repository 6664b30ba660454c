"""OData 4 as the catalogues of the Copernicus Space Component answer it: products, their attributes and nodes."""
