/**
 * Sources of the search, in the order of their results: layers, places of the server, areas of the user, countries and
 * regions, towns, and the configured geocoder.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {"coordinates" | "layer" | "place" | "area" | "country" | "region" | "town" | "address"} Kind
 * @typedef
 *   {{ name: string, where: string, kind: Kind, likeness: number, show: () => unknown, chart: () => unknown }}
 *   Result
 * @typedef {ReturnType<typeof import("./gazetteer.js").splitWords>} Asked
 */

import { placeSets, showSet } from "../areas/place-sets.js";
import { areas, chartArea, zoomToAreas } from "../areas/store.js";
import { askGeocoder, fetchData, fetchPlace, fetchPlaceNames, once } from "../base/api.js";
import {
	chooseLayer,
	choosePlace,
	choosePoint,
	geocoder,
	layers,
	moveMap,
	showFoundPlace,
	view,
	zoomToLayer,
} from "../base/state.js";
import { locale } from "../base/text.js";
import { cellsIn } from "../map/regions.js";
import { fileOf, likenessOf, openAreas, openCell, openLarge, rankTowns, simplify } from "./gazetteer.js";

/** Maximum number of results per kind except towns, so that all kinds are listed. */
const MOST_OF_KIND = 4;
/** Minimum zoom for coordinates and addresses. */
const LEAST_ZOOM = 11;
/** Zoom for the largest, large and other towns. */
const ZOOMS = [
	{ largest: 300, zoom: 10 },
	{ largest: 3000, zoom: 11 },
	{ largest: 34_000, zoom: 12 },
	{ largest: Number.POSITIVE_INFINITY, zoom: 13 },
];

/** @param {BBox} bbox @returns {Point} */
const middleOf = ([west, south, east, north]) => ({
	lon: (west + east + (east < west ? 360 : 0)) / 2,
	lat: (south + north) / 2,
});

/**
 * Makes a result for a point.
 * @param {Point} point
 * @param {Pick<Result, "name" | "where" | "kind" | "likeness">} told
 * @param {number} [zoom]
 * @returns {Result}
 */
export const pointResult = ({ lon, lat }, told, zoom = Math.max(LEAST_ZOOM, view.peek()?.zoom ?? 0)) => ({
	...told,
	show: () => {
		showFoundPlace({ name: told.name, lon, lat });
		moveMap({ view: { lon, lat, zoom } });
	},
	chart: () =>
		choosePlace({ type: "Point", coordinates: [lon, lat] }, told.kind === "coordinates" ? "" : told.name, false),
});

/**
 * Makes a result for a box, whose centre is charted.
 * @param {BBox} bbox
 * @param {Pick<Result, "name" | "where" | "kind" | "likeness">} told
 * @param {() => void} [open]
 * @returns {Result}
 */
const boxResult = (bbox, told, open = () => {}) => ({
	...told,
	show: () => {
		open();
		moveMap({ bbox, isHeld: true });
	},
	chart: () => choosePoint(middleOf(bbox)),
});

/** @template T @param {T[]} all @param {(one: T) => string} nameOf @param {string} wanted */
const alike = (all, nameOf, wanted) =>
	all
		.map((one) => ({ one, likeness: likenessOf(simplify(nameOf(one)), wanted) }))
		.filter(({ likeness }) => likeness > 0)
		.sort((first, second) => second.likeness - first.likeness)
		.slice(0, MOST_OF_KIND);

/** @param {Asked} asked @returns {Result[]} */
function findLayers({ whole }) {
	const found = alike(layers.peek(), ({ title, id }) => `${title} ${id}`, whole);
	return found.map(({ one, likeness }) =>
		boxResult(one.bbox, { name: one.title, where: one.collection_title ?? "", kind: "layer", likeness }, () => {
			chooseLayer(one.id);
			zoomToLayer(one);
		}),
	);
}

/** @param {Asked} asked @returns {Result[]} */
const findOwn = ({ whole }) =>
	alike(areas.peek(), ({ name }) => name, whole).map(({ one, likeness }) => ({
		name: one.name,
		where: "",
		kind: "area",
		likeness,
		show: () => zoomToAreas([one]),
		chart: () => chartArea(one.id),
	}));

/**
 * Names of the places of a set, requested once.
 * @type {Map<string, ReturnType<typeof once<{ number: number, id: string, label?: string }[]>>>}
 */
const namesOfSets = new Map();

/** @param {Asked} asked @returns {Promise<Result[]>} */
async function findPlaces({ whole }) {
	const all = await Promise.all(
		placeSets.peek().map(async (set) => {
			const key = `${set.id} ${set.revision}`;
			const ask = namesOfSets.get(key) ?? once(() => fetchPlaceNames(set, new AbortController().signal));
			namesOfSets.set(key, ask);
			return (await ask().catch(() => [])).map((place) => ({ set, place, name: String(place.label ?? place.id) }));
		}),
	);
	return alike(all.flat(), ({ name }) => name, whole).map(({ one: { set, place, name }, likeness }) => {
		const shape = () => fetchPlace(set, place.number, new AbortController().signal);
		return {
			name,
			where: set.title,
			kind: "place",
			likeness,
			show: async () => {
				showSet(set.id);
				zoomToAreas([{ geometry: await shape() }]);
			},
			chart: async () => choosePlace(await shape(), name, false),
		};
	});
}

const openedAreas = once(async () => openAreas(await fetchData("areas.json")));
const openedLarge = once(async () => openLarge(await fetchData("large.json"), (await openedAreas()).regions));
/** @type {Map<string, ReturnType<typeof openCell>>} */
const openedCells = new Map();

/** @param {string} cell */
async function openedCell(cell) {
	const [towns, others, { regions }] = await Promise.all([
		fetchData(`towns/${cell}.json`),
		fetchData(`others/${cell}.json`),
		openedAreas(),
	]);
	const find = openedCells.get(cell) ?? openCell({ towns, others }, regions);
	openedCells.set(cell, find);
	return find;
}

/** Finds towns, countries and regions. @param {Asked} asked @param {number} most @returns {Promise<Result[]>} */
async function findNamed({ what, where }, most) {
	const areaIndex = await openedAreas();
	const countryName = new Intl.DisplayNames([locale()], { type: "region" });
	/** @param {string} code */
	const nameOf = (code) => (/^[A-Z]{2}$/.test(code) ? (countryName.of(code) ?? code) : "");
	const within = where.map((part) => areaIndex.find(part));
	/** @param {string} country @param {string} region */
	const isWithin = (country, region) =>
		within.every((found) => found.some((area) => area.country === country && (area.isCountry || area.name === region)));

	const from = view.peek() ?? { lon: 0, lat: 0 };
	const [find, cells, file] = [await openedLarge(), await fetchData("cells.json"), fileOf(what)];
	const sights = [view.peek(), ...layers.peek()].flatMap((each) => (each ? [each.bbox] : []));
	const boxes = where.length > 0 ? within.flat().map(({ bbox }) => bbox) : sights;
	const near = await Promise.all(cellsIn(boxes, from, cells).map(openedCell));
	const otherNames = file === null ? {} : await fetchData(`names/${file}.json`);
	const towns = rankTowns([...find(what, otherNames), ...near.flatMap((each) => each(what))], from);
	return [
		...areaIndex
			.find(what)
			.filter(({ country, name }) => isWithin(country, name))
			.sort((one, other) => other.likeness - one.likeness || Number(other.isCountry) - Number(one.isCountry))
			.slice(0, MOST_OF_KIND)
			.map(({ name, alias, likeness, country, isCountry, bbox }) =>
				boxResult(bbox, {
					name: isCountry ? nameOf(country) || alias : name,
					where: isCountry ? "" : nameOf(country),
					kind: isCountry ? "country" : "region",
					likeness,
				}),
			),
		...towns
			.filter(({ country, region }) => isWithin(country, region))
			.slice(0, most)
			.map(({ name, alias, likeness, rank, country, region, lon, lat }) =>
				pointResult(
					{ lon, lat },
					{
						name: alias === name ? name : `${alias} (${name})`,
						where: [region, nameOf(country)].filter(Boolean).join(", "),
						kind: "town",
						likeness,
					},
					ZOOMS.find(({ largest }) => rank < largest)?.zoom,
				),
			),
	];
}

/**
 * Returns all results except addresses, best first.
 * @param {Asked} asked
 * @param {number} most
 * @returns {Promise<Result[]>}
 */
export async function findKnown(asked, most) {
	const [places, named] = await Promise.all([findPlaces(asked), findNamed(asked, most)]);
	const results = [...findLayers(asked), ...places, ...findOwn(asked), ...named];
	return results.sort((one, other) => Number(other.likeness === 3) - Number(one.likeness === 3)).slice(0, most);
}

/**
 * Requests addresses from the configured geocoder.
 * @param {string} words
 * @param {AbortSignal} signal
 * @returns {Promise<Result[]>}
 */
export async function findAddresses(words, signal) {
	const href = geocoder.peek()?.href;
	if (!href) return [];
	const answer = await askGeocoder(href, words, signal);
	/** @type {any[]} */
	const all = Array.isArray(answer) ? answer : (answer.features ?? []);
	return all.slice(0, MOST_OF_KIND).flatMap(({ lon, lat, display_name, geometry, properties = {} }) => {
		const [x, y] = (geometry?.coordinates ?? [lon, lat]).map(Number);
		const { label, name, city, state, country } = properties;
		const [first, ...rest] = String(
			label ?? display_name ?? [name, city, state, country].filter(Boolean).join(", "),
		).split(", ");
		if (!Number.isFinite(x) || !Number.isFinite(y) || !first) return [];
		return [pointResult({ lon: x, lat: y }, { name: first, where: rest.join(", "), kind: "address", likeness: 3 })];
	});
}
