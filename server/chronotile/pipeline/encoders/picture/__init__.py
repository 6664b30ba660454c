"""Pictures, and values as pictures: PNG, GIF, JPEG, WebP, GeoTIFF, NPY."""
