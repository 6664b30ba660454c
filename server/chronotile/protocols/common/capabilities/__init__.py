"""Parts that capabilities of WMS and WMTS share."""
