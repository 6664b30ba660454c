"""OData 4 in the form of the Copernicus Data Space Ecosystem (CDSE): products, their attributes and nodes."""
