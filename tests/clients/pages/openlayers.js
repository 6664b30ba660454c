/** OpenLayers over one tile: `draw` returns the pixels of its canvas. */
import MVT from "ol/format/MVT.js";
import WMTSCapabilities from "ol/format/WMTSCapabilities.js";
import ImageLayer from "ol/layer/Image.js";
import TileLayer from "ol/layer/Tile.js";
import VectorTileLayer from "ol/layer/VectorTile.js";
import OpenLayersMap from "ol/Map.js";
import ImageWMS from "ol/source/ImageWMS.js";
import OGCMapTile from "ol/source/OGCMapTile.js";
import OGCVectorTile from "ol/source/OGCVectorTile.js";
import WMTS, { optionsFromCapabilities } from "ol/source/WMTS.js";
import View from "ol/View.js";

async function wmts({ base, encoding, matrixSet, time }) {
	const answer = await fetch(`${base}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities`);
	const capabilities = new WMTSCapabilities().read(await answer.text());
	const requestEncoding = encoding ?? undefined;
	const options = optionsFromCapabilities(capabilities, { layer: "NDVI", matrixSet, requestEncoding });
	if (encoding === "REST") options.urls = options.urls.slice(0, 1); // OpenLayers draws some tiles from each template
	const offered = options.dimensions.Time;
	const source = new WMTS({ ...options, crossOrigin: "anonymous", interpolate: false, transition: 0 });
	if (time) source.updateDimensions({ Time: time });
	return { layer: new TileLayer({ source }), offered, encoding: source.getRequestEncoding() };
}

function wms({ base, time }) {
	const params = { LAYERS: "NDVI", STYLES: "", TRANSPARENT: "TRUE", TIME: time };
	const source = new ImageWMS({ url: `${base}/wms`, params, ratio: 1, crossOrigin: "anonymous", interpolate: false });
	return { layer: new ImageLayer({ source }), offered: time };
}

/** Resolves when a source has read its tileset. */
const ready = (source) =>
	new Promise((resolve, reject) => {
		const look = () => {
			if (source.getState() === "ready") resolve();
			if (source.getState() === "error") reject(new Error("the tileset is not understood"));
		};
		source.on("change", look);
		look();
	});

/** Draws the map tiles of the tileset at `path`. */
async function ogcMapTile({ base, path, collections }) {
	const options = { url: `${base}${path}`, collections, crossOrigin: "anonymous", interpolate: false, transition: 0 };
	const source = new OGCMapTile(options);
	await ready(source);
	return { layer: new TileLayer({ source }), offered: source.getTileGrid().getMaxZoom() };
}

/** Draws the vector tiles of the tileset at `path` in red. */
async function ogcVectorTile({ base, path, collections }) {
	const source = new OGCVectorTile({ url: `${base}${path}`, collections, format: new MVT(), transition: 0 });
	await ready(source);
	const layer = new VectorTileLayer({ source, style: { "fill-color": "#ff0000" } });
	return { layer, offered: source.getTileGrid().getMaxZoom() };
}

const services = { wmts, wms, ogcMapTile, ogcVectorTile };

window.draw = async (asked) => {
	const { layer, offered, encoding } = await services[asked.service](asked);
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
	return { offered, encoding, picture: canvas.toDataURL("image/png") };
};
