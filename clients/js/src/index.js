/**
 * Layers of a chronotile server, their cube tiles as numbers, and colours for them.
 *
 * @typedef {import("./layer.js").Legend} Legend
 * @typedef {import("./layer.js").Place} Place
 * @typedef {import("./layer.js").Reading} Reading
 * @typedef {import("./layer.js").Series} Series
 * @typedef {import("./credential.js").Token} Token
 * @typedef {import("../../../viewer/ctc1/decode.js").Header} Header
 * @typedef {import("../../../viewer/ctc1/source.js").Sample} Sample
 */
export { Cube, CubeError, decodeCube } from "../../../viewer/ctc1/decode.js";
export { rampTable } from "../../../viewer/ctc1/ramp.js";
export { CubeSource } from "../../../viewer/ctc1/source.js";
export { CubeLoader } from "./cube-loader.js";
export { Layer, openLayer, RequestError, sampleValue } from "./layer.js";
export { joinSlider } from "./slider.js";
