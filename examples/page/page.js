/* A map of one layer with its legend, dates and attribution, and a chart of the clicked point. */
/* global L */
"use strict";

// Your server. The page inserts its texts, such as the attribution, as HTML: use a server that you trust.
const SERVER = "http://localhost:8000";
const LAYER = new URLSearchParams(location.search).get("layer") ?? "NDVI";

const element = (id) => document.getElementById(id);

/** Returns an answer of the server; an error has the server's message. */
async function getJson(url) {
	const answer = await fetch(url, { headers: { Accept: "application/json" } });
	const document = await answer.json();
	if (!answer.ok) throw new Error(document.detail ?? document.title ?? answer.statusText);
	return document;
}

/** All times of the layer, page by page. */
async function getTimes() {
	const times = [];
	for (let url = `${SERVER}/layers/${LAYER}/times`; url; ) {
		const page = await getJson(url);
		times.push(...page.times);
		url = page.next;
	}
	return times;
}

/** Shows the message of an error. */
const show = (error) => {
	element("problem").textContent = error.message;
};

async function start() {
	const [layer, times] = await Promise.all([getJson(`${SERVER}/layers/${LAYER}`), getTimes()]);
	const [west, south, east, north] = layer.bbox;
	const map = L.map("map").fitBounds([[south, west], [north, east]]);
	// `rev` is the version of the data: with it browsers may cache a tile for a year. `{r}` is @2x on sharp screens.
	const tilesAt = (time) =>
		`${SERVER}/tiles/${LAYER}/WebMercatorQuad/{z}/{x}/{y}{r}.png?datetime=${time}&rev=${layer.revision}`;
	const tiles = L.tileLayer(tilesAt(times.at(-1)), { attribution: layer.attribution, maxZoom: 18 }).addTo(map);

	element("title").textContent = layer.title;
	addLegend(map, layer.styles[0]);
	const date = element("date");
	date.max = String(times.length - 1);
	let place = null;

	function choose(index) {
		date.value = String(index);
		element("when").textContent = times[index].slice(0, 10);
		tiles.setUrl(tilesAt(times[index]));
		if (place) drawChart(place, times[index]);
	}
	date.addEventListener("input", () => choose(Number(date.value)));
	choose(times.length - 1);

	const marker = L.circleMarker([0, 0], { radius: 6, color: "#c33" });
	map.on("click", async ({ latlng }) => {
		const { lat, lng } = latlng.wrap();
		marker.setLatLng(latlng).addTo(map);
		try {
			place = await getJson(`${SERVER}/timeseries/${LAYER}/point?lon=${lng.toFixed(6)}&lat=${lat.toFixed(6)}`);
			element("problem").textContent = "";
			drawChart(place, times[Number(date.value)]);
		} catch (error) {
			show(error);
		}
	});
	// A click on the chart selects the nearest date.
	element("chart").addEventListener("click", ({ offsetX, currentTarget }) => {
		if (!place) return;
		const [first, last] = [times[0], times.at(-1)].map(Date.parse);
		const when = first + (offsetX / currentTarget.clientWidth) * (last - first);
		const away = times.map((time) => Math.abs(Date.parse(time) - when));
		choose(away.indexOf(Math.min(...away)));
	});
}

function addLegend(map, style) {
	const legend = L.control({ position: "bottomright" });
	legend.onAdd = () => {
		const picture = L.DomUtil.create("img", "leaflet-control");
		picture.id = "legend";
		picture.alt = `Legend: ${style.title}`;
		picture.src = style.legend.svg;
		return picture;
	};
	legend.addTo(map);
}

/** Draws a line with gaps for missing values, and the date of the map. */
function drawChart(series, time) {
	const times = series.times.map(Date.parse);
	const values = series.values.filter((value) => value !== null);
	const [low, high] = [Math.min(...values), Math.max(...values)];
	const x = (when) => (1000 * (when - times[0])) / (times.at(-1) - times[0] || 1);
	const y = (value) => 95 - (90 * (value - low)) / (high - low || 1);
	let isPenDown = false;
	const steps = series.values.map((value, index) => {
		const step = value === null ? "" : `${isPenDown ? "L" : "M"}${x(times[index]).toFixed(1)} ${y(value).toFixed(1)}`;
		isPenDown = value !== null;
		return step;
	});
	const at = x(Date.parse(time));
	element("chart").innerHTML = `<path d="${steps.join("")}"/><line x1="${at}" x2="${at}" y1="0" y2="100"/>`;
	const [lon, lat] = series.point;
	const now = series.values[series.times.indexOf(time)];
	const range = values.length ? `${low} to ${high}${series.units === "1" ? "" : ` ${series.units}`}` : "no values";
	element("about").textContent = `${lat}, ${lon}: ${now ?? "no value"} on ${time.slice(0, 10)} (${range})`;
}

start().catch(show);
