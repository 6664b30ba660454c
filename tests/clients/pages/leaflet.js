/** Leaflet with TimeDimension over one tile: `draw` returns the pixels of the visible pictures. */
import L from "leaflet";
import "leaflet-timedimension";

const STYLE =
	".leaflet-container { position: relative; overflow: hidden } .leaflet-container img, .leaflet-pane { position: absolute }";

function copied(container, size) {
	const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
	const context = canvas.getContext("2d");
	const place = container.getBoundingClientRect();
	for (const image of container.querySelectorAll("img.leaflet-tile")) {
		const { left, top, width, height } = image.getBoundingClientRect();
		if (getComputedStyle(image.closest(".leaflet-layer")).opacity === "1") {
			context.drawImage(image, left - place.left, top - place.top, width, height);
		}
	}
	return canvas.toDataURL("image/png");
}

window.draw = async ({ base, service, time, size, centre, zoom, version }) => {
	document.head.appendChild(document.createElement("style")).textContent = STYLE;
	const container = document.body.appendChild(document.createElement("div"));
	container.style.cssText = `width: ${size}px; height: ${size}px`;
	const map = L.map(container, { fadeAnimation: false, zoomAnimation: false, timeDimension: service === "wms" });
	map.setView(centre, zoom);
	const options = { layers: "NDVI", format: "image/png", transparent: true, version, crossOrigin: "anonymous" };
	if (service === "rest") {
		const template = `${base}/wmts/1.0.0/NDVI/default/${time}/WebMercatorQuad/{z}/{y}/{x}.png`;
		const layer = L.tileLayer(template, { crossOrigin: "anonymous" }).addTo(map);
		await new Promise((resolve) => layer.once("load", resolve));
		return { offered: [], picture: copied(container, size) };
	}
	const layer = L.timeDimension.layer.wms(L.tileLayer.wms(`${base}/wms`, options), {
		requestTimeFromCapabilities: true,
		updateTimeDimension: true,
		updateTimeDimensionMode: "replace",
		setDefaultTime: true,
	});
	const dimension = map.timeDimension;
	const offered = new Promise((resolve) => dimension.once("availabletimeschanged", resolve));
	layer.addTo(map);
	await offered;
	const shown = new Promise((resolve) => {
		dimension.on("timeload", ({ time: loaded }) => loaded === Date.parse(time) && resolve());
	});
	dimension.setCurrentTime(Date.parse(time));
	await shown;
	await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
	const times = dimension.getAvailableTimes().map((each) => new Date(each).toISOString());
	return { offered: times, picture: copied(container, size) };
};
