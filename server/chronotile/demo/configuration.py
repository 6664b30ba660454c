"""The configuration file of the demo archive, which is also an example."""

from typing import Final

CONFIGURATION_TEXT: Final = r"""# Written by `chronotile demo`; an example of a configuration to start from.
# The data are synthetic, in the form of 10-daily Sentinel-2 products of central Belgium.
service:
  title: Synthetic vegetation of central Belgium (demo)
  abstract: >-
    Five years of 10-daily vegetation and a dozen true-colour pictures, computed from formulas to show what chronotile
    does. Synthetic data; not observations.

collections:
  biopar:
    title: Synthetic biophysical parameters, 10-daily, 100 m
    abstract: >-
      NDVI, FAPAR, FCOVER and LAI between Brussels and Antwerp, 2020 to 2024: invented fields with the seasons of their
      crops, under invented clouds and snow.
    attribution: Synthetic data made by chronotile; not observations
    license: CC0-1.0
    keywords: [synthetic, vegetation, NDVI, FAPAR, FCOVER, LAI, Belgium]
    source: {kind: zarr, href: biopar.zarr}
    time: {default: latest, match: exact}
    variables:
      NDVI:
        layer: NDVI
        title: NDVI (synthetic)
        range: [-0.08, 0.92]
        styles: [ndvi, greys, viridis]
        aliases: [CGS_S2_NDVI, TERRASCOPE_S2_NDVI_V2]
      FAPAR:
        layer: FAPAR
        title: FAPAR (synthetic)
        styles: [fapar, greys, viridis]
        aliases: [CGS_S2_FAPAR, TERRASCOPE_S2_FAPAR_V2]
      FCOVER:
        layer: FCOVER
        title: FCOVER (synthetic)
        styles: [fcover, greys, viridis]
        aliases: [CGS_S2_FCOVER, TERRASCOPE_S2_FCOVER_V2]
      LAI:
        layer: LAI
        title: Leaf area index (synthetic)
        range: [0, 7]
        styles: [lai, greys, viridis]
        aliases: [CGS_S2_LAI, TERRASCOPE_S2_LAI_V2]

  toc:
    title: Synthetic true-colour pictures, 100 m
    abstract: Red, green and blue reflectance times 10000 of the same invented landscape on a dozen days of 2024.
    attribution: Synthetic data made by chronotile; not observations
    license: CC0-1.0
    keywords: [synthetic, reflectance, true colour, Belgium]
    source: {kind: cog, href: "toc/{variable}_*.tif", time_pattern: '_(?P<time>\d{8})'}
    time: {default: latest, match: exact}
    variables:
      RED: {title: Red reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
      GREEN: {title: Green reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
      BLUE: {title: Blue reflectance x 10000 (synthetic), range: [0, 3000], styles: [greys]}
    composites:
      TRUE_COLOUR:
        layer: TRUE_COLOUR
        title: True colour (synthetic)
        variables: [RED, GREEN, BLUE]
        range: [0, 3000]
        gamma: 1.6
        aliases: [CGS_S2_RADIOMETRY]

places:
  regions:
    title: Regions around towns (synthetic)
    href: places/regions.geojson
    id: id
    label: name
    attribution: Synthetic data made by chronotile
  fields:
    title: The thousand largest fields (synthetic)
    href: places/fields.geojson
    id: id
    fields: [soil, area_ha]
    attribution: Synthetic data made by chronotile
"""
