/**
 * Sets of places: those of the server, one for each file with many shapes until the page is closed, and the user's
 * areas; the set on the map, and the statistic that colours its places.
 *
 * @typedef {import("../base/state.js").Geometry} Geometry
 * @typedef {{ id: string, name: string, geometry: Geometry }} Shape
 * @typedef {import("../base/api.js").PlaceSet & { shapes?: Shape[] }} PlaceSet with its shapes if it is not on the
 *   server
 */
import { fetchPlace, fetchPlaceSets, fetchPlaces } from "../base/api.js";
import { choosePlace, joinLink, layer, legend, notify, timeDomain } from "../base/state.js";
import { text } from "../base/text.js";
import { periodText } from "../ctc1/periods.js";
import { computed, signal } from "../vendor/signals-core.js";
import { FILE_LIMITS, tidyName } from "./formats/faults.js";
import { boxOf, positionsOf } from "./shapes/geometry.js";
import { areas, chartArea, findArea } from "./store.js";

/** Statistics that can colour a place: of its cells at a date, or averaged over the dates of a period. */
export const STATISTICS = /** @type {const} */ ([
	"mean",
	"median",
	"p10",
	"p90",
	"min",
	"max",
	"std",
	"valid_share",
	"anomaly",
]);
/** Times whose dates are one value: a date, and the periods of maps. */
export const SPANS = /** @type {const} */ (["date", "dekad", "month", "season", "year"]);
/** Not an id that a server's set may have. */
const OWN = ":areas";

/** @typedef {typeof STATISTICS[number]} Statistic */
/** @typedef {typeof SPANS[number]} Span */

const serverSets = signal(/** @type {PlaceSet[]} */ ([]));
const fileSets = signal(/** @type {PlaceSet[]} */ ([]));
let setsMade = 0;

/** @param {string} id @param {string} title @param {Shape[]} shapes @returns {PlaceSet} */
function makeSet(id, title, shapes) {
	setsMade += 1;
	const bbox = boxOf(shapes.flatMap(({ geometry }) => positionsOf(geometry)));
	return { id, title, count: shapes.length, bbox, attribution: null, fields: [], revision: String(setsMade), shapes };
}

const ownSet = computed(() => (areas.value.length > 0 ? [makeSet(OWN, text("areas.title"), areas.value)] : []));
export const placeSets = computed(() => [...serverSets.value, ...fileSets.value, ...ownSet.value]);
const shownId = signal(/** @type {string | undefined} */ (undefined));
export const shownSet = computed(() => placeSets.value.find(({ id }) => id === shownId.value) ?? null);
export const statistic = signal(/** @type {Statistic} */ ("mean"));
export const span = signal(/** @type {Span} */ ("date"));
/**
 * Places use the periods of the map.
 * @type {import("@preact/signals-core").ReadonlySignal<Span>}
 */
export const shownSpan = computed(() => timeDomain.value.periods?.slot ?? span.value);
/** Returns the `datetime` parameter for a date. @param {import("../base/dates.js").Instant} at @returns {string} */
export const datetimeAt = ({ ms, text: date }) => {
	const over = shownSpan.peek();
	return over === "date" ? date : periodText(over, ms);
};
/** The place under the pointer, or in the middle of the map while the keyboard is used; only the map sets it. */
export const hovered = signal(/** @type {import("./formats/mvt.js").TileFeature | null} */ (null));
/** Number of the place highlighted on the map while the table is used. */
export const pointedAt = signal(/** @type {number | null} */ (null));
/** Whether places can have the colour of their mean, which has no meaning for classes and colour composites. */
export const hasMeans = computed(() => (layer.value?.variable ?? null) !== null && legend.value?.type === "ramp");

/** @param {string} id of a set; an unknown id shows none */
export const showSet = (id) => {
	shownId.value = id;
};

/** Shows the shapes of a file as a set. @param {string} title @param {{ name: string, geometry: Geometry }[]} found */
export function addFileSet(title, found) {
	const shapes = found.map(({ name, geometry }, index) => ({
		id: String(index + 1),
		name: name || String(index + 1),
		geometry,
	}));
	const set = makeSet(`:file-${setsMade}`, title, shapes);
	fileSets.value = [...fileSets.peek(), set];
	showSet(set.id);
}

/** Loads the list of sets, and keeps the link up to date. */
export async function startPlaceSets() {
	joinLink({
		write: () => {
			const set = shownSet.value;
			const isLinked = set !== null && !set.shapes;
			return {
				places: isLinked ? set.id : undefined,
				statistic: isLinked && statistic.value !== "mean" ? statistic.value : undefined,
				span: isLinked && span.value !== "date" ? span.value : undefined,
			};
		},
		read: (link) => {
			showSet(link.places ?? "");
			statistic.value = STATISTICS.find((each) => each === link.statistic) ?? "mean";
			span.value = link.span ?? "date";
		},
	});
	try {
		serverSets.value = await fetchPlaceSets(new AbortController().signal);
	} catch {
		// A server without places may answer with an error.
	}
}

/** Outlines from the server, by set. @type {WeakMap<PlaceSet, Promise<Shape[]>>} */
const shapesBySet = new WeakMap();

/** The shapes of a set, in the order of their numbers. @param {PlaceSet} set @returns {Promise<Shape[]>} */
export function shapesOf(set) {
	if (set.shapes) return Promise.resolve(set.shapes);
	if (set.count > FILE_LIMITS.shapes) {
		return Promise.reject(new Error(text("places.tooManyShapes", { limit: FILE_LIMITS.shapes })));
	}
	const known = shapesBySet.get(set);
	if (known) return known;
	const coming = fetchPlaces(set, new AbortController().signal).then((features) =>
		features.map(({ id, geometry, properties }) => ({
			id: String(id),
			name: tidyName(properties?.label ?? id),
			geometry,
		})),
	);
	shapesBySet.set(set, coming);
	coming.catch(() => shapesBySet.delete(set));
	return coming;
}

/**
 * Selects a place of the current set.
 * @param {import("./formats/mvt.js").TileFeature} feature
 * @param {boolean} isKept whether the places that are selected already stay
 */
export async function choosePlaceOfSet({ id, properties }, isKept) {
	const set = shownSet.peek();
	if (!set) return;
	const shape = set.shapes?.[id];
	if (shape && findArea(shape.id)) {
		chartArea(shape.id);
		return;
	}
	try {
		const geometry = shape?.geometry ?? (await fetchPlace(set, id, new AbortController().signal));
		choosePlace(geometry, tidyName(properties.label ?? properties.id), isKept);
	} catch (error) {
		notify("places", text("places.notFound", { why: /** @type {Error} */ (error).message }));
	}
}
