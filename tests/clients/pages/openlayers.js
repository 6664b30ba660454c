/** OpenLayers over one tile: `draw` gives the pixels of its canvas. */
import WMTSCapabilities from "ol/format/WMTSCapabilities.js";
import ImageLayer from "ol/layer/Image.js";
import TileLayer from "ol/layer/Tile.js";
import OpenLayersMap from "ol/Map.js";
import ImageWMS from "ol/source/ImageWMS.js";
import WMTS, { optionsFromCapabilities } from "ol/source/WMTS.js";
import View from "ol/View.js";

async function wmts({ base, encoding, matrixSet, time }) {
	const answer = await fetch(`${base}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities`);
	const capabilities = new WMTSCapabilities().read(await answer.text());
	const options = optionsFromCapabilities(capabilities, { layer: "NDVI", matrixSet, requestEncoding: encoding });
	const offered = options.dimensions.Time;
	const source = new WMTS({ ...options, crossOrigin: "anonymous", interpolate: false, transition: 0 });
	if (time) source.updateDimensions({ Time: time });
	return { layer: new TileLayer({ source }), offered };
}

function wms({ base, time }) {
	const params = { LAYERS: "NDVI", STYLES: "", TRANSPARENT: "TRUE", TIME: time };
	const source = new ImageWMS({ url: `${base}/wms`, params, ratio: 1, crossOrigin: "anonymous", interpolate: false });
	return { layer: new ImageLayer({ source }), offered: time };
}

window.draw = async (asked) => {
	const { layer, offered } = await (asked.service === "wmts" ? wmts(asked) : wms(asked));
	const [west, south, east, north] = asked.bbox;
	const target = document.body.appendChild(document.createElement("div"));
	target.style.cssText = `width: ${asked.size}px; height: ${asked.size}px`;
	const view = new View({
		projection: asked.crs,
		center: [(west + east) / 2, (south + north) / 2],
		resolution: (east - west) / asked.size,
	});
	const map = new OpenLayersMap({ target, view, layers: [layer], controls: [], pixelRatio: 1 });
	await new Promise((resolve) => map.once("rendercomplete", resolve));
	const canvas = target.querySelector("canvas");
	return { offered, picture: canvas.toDataURL("image/png") };
};
