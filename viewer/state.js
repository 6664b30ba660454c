/**
 * The state of the viewer: signals that the other modules read by effect, and the functions that change them.
 *
 * @typedef {import("./api.js").Layer} Layer
 * @typedef {import("./dates.js").Instant} Instant
 * @typedef {import("./permalink.js").BBox} BBox
 * @typedef {import("./permalink.js").Fault} Fault
 * @typedef {import("./permalink.js").Link} Link
 * @typedef {import("./permalink.js").Point} Point
 * @typedef {import("./permalink.js").View} View
 * @typedef {{ phase: "loading" | "ready" | "failed", why: string }} Progress
 * @typedef {Progress & { instants: Instant[], validShares: (number | null)[] }} TimeDomain
 * @typedef {{ label: string, run: () => void }} Action
 * @typedef {{ id: string, message: string, action?: Action }} Notice
 * @typedef {{ phase: "loading" | "shown" | "filling", failed: number, total: number }} TileProgress
 */
import { fetchLayer, fetchLayers, fetchTimes, Problem } from "./api.js";
import { dateOf, formatDate, nearestIndex, parseDate, resolveDate, toInstant } from "./dates.js";
import { text } from "./text.js";
import { batch, computed, signal } from "./vendor/signals-core.js";

/** Ids of the backgrounds, as links name them, and what people read. The first is the default. */
export const BACKGROUNDS = [
	{ id: "NaturalEarth", title: "Natural Earth, light" },
	{ id: "NaturalEarth_Dark", title: "Natural Earth, dark" },
	{ id: "None", title: "None" },
];

/** @type {TimeDomain} */
const NO_TIMES = { phase: "loading", why: "", instants: [], validShares: [] };

/** @type {Progress} */
const LOADING = { phase: "loading", why: "" };
export const catalogue = signal(LOADING);
export const layers = signal(/** @type {Layer[]} */ ([]));
export const layer = signal(/** @type {Layer | null} */ (null));
export const style = signal("");
export const timeDomain = signal(NO_TIMES);
/** Index of the instant shown; -1 of a layer without time, or while its dates are loading. */
export const timeIndex = signal(-1);
export const opacity = signal(1);
export const overlay = signal(true);
export const background = signal(BACKGROUNDS[0].id);
/** What the map shows; only the map sets it. */
export const view = signal(/** @type {(View & { bbox: BBox }) | null} */ (null));
/** Where the map shall go next. */
export const destination = signal(/** @type {{ view?: View, bbox?: BBox } | null} */ (null));
/** The place whose values the chart shows. */
export const point = signal(/** @type {Point | null} */ (null));
export const notices = signal(/** @type {Notice[]} */ ([]));
/** How far the pictures are: `filling` is when those shown are complete but for the places the map was moved to. */
export const tileProgress = signal(/** @type {TileProgress} */ ({ phase: "loading", failed: 0, total: 0 }));

export const instant = computed(() => timeDomain.value.instants[timeIndex.value] ?? null);
export const shownDate = computed(() => (instant.value ? formatDate(instant.value.ms, text.locale) : ""));

/** What a link to this state says; null until there is a state worth a link. */
export const link = computed(() => {
	if (!layer.value || timeDomain.value.phase !== "ready" || !view.value) return null;
	const { bbox, lon, lat, zoom } = view.value;
	/** @type {Link} */
	const now = {
		language: text.language,
		layer: layer.value.id,
		date: instant.value ? dateOf(timeDomain.value.instants, timeIndex.value) : undefined,
		bbox,
		overlay: overlay.value,
		bgLayer: background.value,
		view: { lon, lat, zoom },
		opacity: opacity.value === 1 ? undefined : opacity.value,
		style: style.value === layer.value.styles[0]?.id ? undefined : style.value,
		pt: point.value ? [point.value] : undefined,
	};
	return now;
});

/** Tells the user something, in place of what was told under the same id. @param {string} id @param {string} message @param {Action} [action] */
export function notify(id, message, action) {
	notices.value = [...notices.peek().filter((notice) => notice.id !== id), { id, message, action }];
}

/** @param {string} id */
export function dismiss(id) {
	if (notices.peek().some((notice) => notice.id === id)) {
		notices.value = notices.peek().filter((notice) => notice.id !== id);
	}
}

/** @param {unknown} error */
const reason = (error) => (error instanceof Problem ? error.message : String(error));

/** Asks the server what it has, and shows what the link names of it. @param {Link} asked */
export async function openCatalogue(asked) {
	catalogue.value = LOADING;
	try {
		layers.value = await fetchLayers(new AbortController().signal);
		catalogue.value = { phase: "ready", why: "" };
	} catch (error) {
		catalogue.value = { phase: "failed", why: reason(error) };
		return;
	}
	await followLink(asked);
}

/** Shows the layer and date that a link names, or what is nearest to them. @param {Link} asked */
export async function followLink(asked) {
	const found = await findLayer(asked.layer);
	if (!found) return;
	if (asked.layer !== undefined && found.isInstead) {
		notify("layer", text.unknownLayer(asked.layer, found.layer.title));
	}
	if (!asked.view && !asked.bbox && !view.peek()) zoomToLayer(found.layer);
	await openLayer(found.layer, asked);
}

/** The layer of that id or alias, else the first. @param {string | undefined} id */
async function findLayer(id) {
	const all = layers.peek();
	const listed = all.find((each) => each.id === id);
	if (listed) return { layer: listed, isInstead: false };
	if (id !== undefined) {
		const aliased = await fetchLayer(id, new AbortController().signal).catch(() => null);
		if (aliased) return { layer: all.find((each) => each.id === aliased.id) ?? aliased, isInstead: false };
	}
	return all.length > 0 ? { layer: all[0], isInstead: true } : null;
}

/** What was asked of the layer that is loading. @type {{ date?: string, style?: string }} */
let asked = {};
let loading = new AbortController();

/** @param {Layer} next @param {{ date?: string, style?: string }} wish */
async function openLayer(next, wish) {
	asked = wish;
	loading.abort();
	loading = new AbortController();
	const { signal } = loading;
	const { styles } = next;
	const chosen = styles.find(({ id }) => id === wish.style) ?? styles[0];
	if (wish.style !== undefined && chosen?.id !== wish.style && wish.style !== "default") {
		notify("style", text.unknownStyle(wish.style, chosen?.title ?? ""));
	}
	batch(() => {
		layer.value = next;
		style.value = chosen?.id ?? "";
		timeDomain.value = NO_TIMES;
		timeIndex.value = -1;
	});
	try {
		const { times, validShares } =
			next.times.count > 0 ? await fetchTimes(next, signal) : { times: [], validShares: [] };
		if (signal.aborted) return;
		const instants = times.map(toInstant);
		batch(() => {
			timeDomain.value = { phase: "ready", why: "", instants, validShares };
			timeIndex.value = indexFor(next, instants, wish.date);
		});
	} catch (error) {
		if (!signal.aborted) timeDomain.value = { ...NO_TIMES, phase: "failed", why: reason(error) };
	}
}

/** Index of the date asked for, the nearest there is, or the layer's default. @param {Layer} of @param {Instant[]} instants @param {string | undefined} date */
function indexFor(of, instants, date) {
	if (instants.length === 0) return -1;
	if (date === undefined) {
		return of.times.default === null ? instants.length - 1 : nearestIndex(instants, Date.parse(of.times.default));
	}
	const { index, exact } = resolveDate(instants, date);
	if (!exact) {
		const asked = formatDate(/** @type {number} */ (parseDate(date)), text.locale);
		notify("date", text.noDataThen(asked, of.title, formatDate(instants[index].ms, text.locale)));
	}
	return index;
}

/** Shows another layer at the date shown now. @param {string} id */
export function chooseLayer(id) {
	const next = layers.peek().find((each) => each.id === id);
	if (!next || next === layer.peek()) return;
	const date = instant.peek()?.text;
	for (const about of ["layer", "style", "date"]) dismiss(about);
	void openLayer(next, { date });
}

/** Asks once more for the dates of the layer. */
export function retryTimes() {
	const again = layer.peek();
	if (again) void openLayer(again, asked);
}

/** @param {string} id */
export const chooseStyle = (id) => {
	style.value = id;
};

/** @param {number} index */
export function chooseTime(index) {
	const last = timeDomain.peek().instants.length - 1;
	timeIndex.value = Math.max(Math.min(0, last), Math.min(last, index));
	dismiss("date");
}

/** @param {Point | null} place */
export const choosePoint = (place) => {
	point.value = place;
};

/** @param {Layer | null} [of] */
export function zoomToLayer(of = layer.peek()) {
	if (of) destination.value = { bbox: of.bbox };
}

/** Takes over what a link says of the map and its place; layer and date take a question to the server. @param {Link} asked */
export function applyMapLink(asked) {
	batch(() => {
		const known = BACKGROUNDS.some(({ id }) => id === asked.bgLayer);
		if (asked.bgLayer !== undefined && !known) notify("background", text.unknownBackground(asked.bgLayer));
		background.value = known ? /** @type {string} */ (asked.bgLayer) : BACKGROUNDS[0].id;
		overlay.value = asked.overlay ?? true;
		opacity.value = asked.opacity ?? 1;
		point.value = asked.pt?.[0] ?? null;
		if (asked.view) destination.value = { view: asked.view };
		else if (asked.bbox) destination.value = { bbox: asked.bbox };
		if (asked.pt && asked.pt.length > 1) notify("points", text.onlyFirstPoint(asked.pt.length));
		if (asked.language !== undefined && asked.language !== text.language) {
			notify("language", text.unknownLanguage(asked.language));
		}
	});
}

/** @param {Fault[]} faults */
export function reportFaults(faults) {
	for (const { key, value, expected } of faults) {
		notify(`parameter ${key}`, text.badParameter(key, value.slice(0, 80), expected));
	}
}
