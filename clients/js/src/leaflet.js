/** Cube tiles on a map of Leaflet 1.9: `makeCubeLayer({ GridLayer }, layer.cubes)`. */
export { makeCubeLayer } from "../../../viewer/ctc1/leaflet.js";
