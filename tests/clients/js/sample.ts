/** A page of somebody's own in TypeScript: what the types of the package must let through, and what they must not. */

import {
	CubeLoader,
	decodeCube,
	joinSlider,
	type Layer,
	openLayer,
	type Reading,
	RequestError,
	rampTable,
	type Series,
	sampleValue,
	type Token,
} from "chronotile";
import "chronotile/chart";
import { makeCubeLayer as makeLeafletLayer } from "chronotile/leaflet";
import { ChronotileLegend } from "chronotile/legend";
import { makeCubeLayer as makeMapLibreLayer } from "chronotile/maplibre";
import { makeCubeLayer as makeOpenLayersLayer } from "chronotile/openlayers";
import { GridLayer, Map as LeafletMap } from "leaflet";
import { Map as MapLibreMap } from "maplibre-gl";
import OpenLayersLayer from "ol/layer/Layer.js";
import OpenLayersMap from "ol/Map.js";

const loader = new CubeLoader({ maxBytes: 2 ** 26 });
const layer: Layer = await openLayer("http://127.0.0.1:8000", "NDVI", { style: "ndvi", loader });
const token: Token = async (refused?: string) => refused ?? "ctk_key";
const signedIn: Layer[] = [
	await openLayer("http://127.0.0.1:8000", "NDVI", { token }),
	await openLayer("http://127.0.0.1:8000", "NDVI", { token: () => "ctk_key" }),
	await openLayer("http://127.0.0.1:8000", "NDVI", { token: "ctk_key" }),
];
const title: string = layer.title;
const [west, , , north]: [number, number, number, number] = layer.bbox;
const series: Series = await layer.series({ lon: west, lat: north }, { datetime: "2024" });
const values: (number | null)[] = series.values;

const leaflet = new LeafletMap("map");
const cubes = makeLeafletLayer({ GridLayer }, { ...layer.cubes, opacity: 0.5 }).addTo(leaflet);
const shown: Reading | null = sampleValue(cubes.sample({ lon: west, lat: north }, 0));
const value: string | undefined = shown?.isApproximate ? `≈ ${shown.value}` : shown?.value?.toString();
const ends: (string | null)[] = layer.ends;
const { show } = joinSlider(document.createElement("input"), layer, cubes, (date: string, index: number) => [
	date,
	index,
]);
show("2024-06");

const maplibre = new MapLibreMap({ container: "map", style: { version: 8, sources: {}, layers: [] } });
maplibre.addLayer(makeMapLibreLayer({ id: "ndvi", ...layer.cubes }));
new OpenLayersMap({ layers: [makeOpenLayersLayer(OpenLayersLayer, layer.cubes)] });

const chart = document.createElement("chronotile-chart");
chart.source = layer;
chart.show({ lon: west, lat: north });
const legend: ChronotileLegend | null = document.querySelector("chronotile-legend");
if (legend) legend.source = layer;
document.body.append(new ChronotileLegend());
const cube = decodeCube(new Uint8Array(await (await fetch("a.ctc")).arrayBuffer()));
const colours: Uint32Array = rampTable([
	[0, "#000000"],
	[1, "#ffffff"],
])(cube.header);

export { colours, ends, RequestError, signedIn, title, value, values };

// @ts-expect-error a token is text
openLayer("http://127.0.0.1:8000", "NDVI", { token: 5 });
// @ts-expect-error a place has two coordinates
chart.show({ lon: west });
// @ts-expect-error the layer of MapLibre needs an id
makeMapLibreLayer(layer.cubes);
// @ts-expect-error an index or a text
show(null);
