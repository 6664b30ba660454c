/**
 * Cube tiles on a map of OpenLayers 10, in `EPSG:3857`: `makeCubeLayer(Layer, layer.cubes)`; `Layer` is
 * `ol/layer/Layer`.
 */
export { makeCubeLayer } from "../../../viewer/ctc1/openlayers.js";
