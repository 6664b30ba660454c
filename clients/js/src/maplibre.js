/** Cube tiles on a map of MapLibre GL 6: `map.addLayer(makeCubeLayer({ id: "ndvi", ...layer.cubes }))`. */
export { makeCubeLayer } from "../../../viewer/ctc1/maplibre.js";
