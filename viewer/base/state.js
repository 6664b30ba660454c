/**
 * The state of the viewer: signals that other modules read in effects, and functions that change them.
 *
 * The content of one map is a side: the main one, A, and in comparisons a second one, B, of the same form. The signals
 * of A are exported under separate names, for modules without comparisons.
 *
 * @typedef {import("./api.js").Layer} Layer
 * @typedef {import("./api.js").Legend} Legend
 * @typedef {import("./dates.js").Instant} Instant
 * @typedef {import("./permalink.js").BBox} BBox
 * @typedef {import("./permalink.js").Fault} Fault
 * @typedef {import("./permalink.js").Link} Link
 * @typedef {import("./permalink.js").Point} Point
 * @typedef {import("./permalink.js").View} View
 * @typedef {{ phase: "loading" | "ready" | "failed", why: string }} Progress
 * @typedef {Progress & { instants: Instant[], validShares: (number | null)[], periods?: Periods }} TimeDomain
 * @typedef {{
 *   slot: import("./dates.js").Slot, method: Method, by: string, dates: Instant[], members: number[][], partOfYear:
 *     string[], years: string,
 *   cubes: CubesOfTimes | null,
 * }} Periods
 *   the rule that makes periods of `dates`, given by indexes; normals are made of values reduced `by` this, over the
 *     `years`;
 *   `cubes` is null if only the server can make them
 * @typedef
 *   {{ times: (string | null)[], windows?: import("../ctc1/source.js").Window[], order?: string, areApart?: boolean }}
 *   CubesOfTimes
 *   options of a `CubeSource` that concern time
 * @typedef {import("./permalink.js").Method | "usual" | "usual_dates"} Method how the values of a period are combined;
 *   `usual` is the mean over all years, and `usual_dates` that of single dates
 * @typedef {{ label: string, run: () => void }} Action
 * @typedef {{ id: string, message: string, action?: Action }} Notice
 * @typedef {{ phase: "loading" | "shown" | "filling", failed: number, total: number }} TileProgress
 * @typedef {{
 *   range: [low: number, high: number] | null, ramp: string | null, isReversed: boolean, isLog: boolean, hidden?:
 *     number[],
 * }} Colouring what is changed of the style: nothing where null or false;
 *   `hidden` are values of classes that are not shown
 * @typedef {"preview" | "full"} Loaded
 * @typedef {{ layer?: string, date?: string, style?: string }} Wish
 * @typedef {{ write: () => Partial<Link>, read: (link: Link) => void }} LinkPart
 * @typedef {{ type: "Point", coordinates: number[] } | { type: "Polygon", coordinates: number[][][] } |
 *   { type: "MultiPolygon", coordinates: number[][][][] }} Geometry GeoJSON, longitude first
 * @typedef {{
 *   id: string, name: string, colour: string, geometry: Geometry, isShown: boolean, isSaved: boolean, isKept: boolean,
 * }} Place a point or an area whose values are looked at; a point that is not kept gives way to the next one chosen
 * @typedef {ReturnType<typeof makeSide>} Side
 * @typedef {(side: Side) => TimeDomain | null} Grouping makes periods of the dates of a side; null if it shows dates
 * @typedef {{ side: Side, isBelow: boolean, isShown: boolean }} Extra a layer in addition to the main one, below or
 *   above it
 */

import { batch, computed, signal } from "../vendor/signals-core.js";
import { fetchLayer, fetchLayers, fetchTimes, inPageLanguage, Problem } from "./api.js";
import { dateOf, formatInstant, formatNamed, indexOfMoment, newestClear, resolveDate, toInstant } from "./dates.js";
import { language, locale, text } from "./text.js";
import { whenText } from "./when.js";

/** @typedef {{ id: string, title: string, baseMap?: import("./api.js").BaseMap }} Background */

/** The backgrounds: ids, as in links, and titles. The first is the default. */
export const BACKGROUNDS = signal(/** @type {Background[]} */ ([{ id: "NaturalEarth", title: "" }]));

/** Title of this server. */
export const serviceTitle = signal("");

/** Configured maps that may be drawn over the data, and the ids of the visible ones. */
export const overlayMaps = signal(/** @type {import("./api.js").BaseMap[]} */ ([]));
export const shownOverlays = signal(/** @type {string[]} */ ([]));

const defaultBackground = signal(/** @type {string | null} */ (null));

/** The configured geocoder. */
export const geocoder = signal(/** @type {import("./api.js").Geocoder | null} */ (null));

/** Whether users may sign in. */
export const isSignInOffered = signal(false);

/** A link to a layer that is not there, at least not for this user, and the layer that is shown instead. */
export const missed = signal(/** @type {{ link: Link, message: string, instead: string } | null} */ (null));

/** Layer that is shown if the link has none; null means the first. */
const defaultLayer = signal(/** @type {string | null} */ (null));

/**
 * Adopts the configuration; the texts must be loaded.
 * @param {import("./api.js").ViewerConfig | null} config
 */
export function configure(config) {
	batch(() => {
		serviceTitle.value = config?.title ?? "";
		defaultLayer.value = config?.default_layer ?? null;
		geocoder.value = config?.geocoder ?? null;
		overlayMaps.value = config?.overlays ?? [];
		defaultBackground.value = config?.default_base_map ?? null;
		isSignInOffered.value = config?.sign_in !== undefined;
		BACKGROUNDS.value = [
			{ id: "NaturalEarth", title: text("display.light") },
			{ id: "NaturalEarth_Dark", title: text("display.dark") },
			...(config?.base_maps ?? []).map((baseMap) => ({ id: baseMap.id, title: baseMap.title, baseMap })),
			{ id: "None", title: text("display.none") },
		];
	});
}

/** The first picture waits no longer for the date that it should have. */
const CLEAR_WAIT_MS = 1500;

/** @type {TimeDomain} */
const NO_TIMES = { phase: "loading", why: "", instants: [], validShares: [] };

/** @type {Progress} */
const LOADING = { phase: "loading", why: "" };

/** @type {Colouring} */
export const AS_STYLED = { range: null, ramp: null, isReversed: false, isLog: false };

/** Makes periods of a layer's dates, while maps of periods are shown; only time/periods sets it. */
const grouping = signal(/** @type {Grouping | null} */ (null));

/** Returns the state of one map. @param {string} id */
export function makeSide(id) {
	/** The layer's own dates. */
	const dates = signal(NO_TIMES);
	/** Whether it shows usual values instead of a date. */
	const isUsual = signal(false);
	/** The dates, or the periods that replace them. */
	/** @type {{ readonly value: TimeDomain, peek: () => TimeDomain }} */
	const timeDomain = computed(() => grouping.value?.(side) ?? dates.value);
	/** Index of the instant shown; -1 of a layer without time, or while its dates are loading. */
	const timeIndex = signal(-1);
	const instant = computed(() => timeDomain.value.instants[timeIndex.value] ?? null);
	const side = {
		id,
		layer: signal(/** @type {Layer | null} */ (null)),
		style: signal(""),
		/** Legend of the style, from the server; null while it is loading. */
		legend: signal(/** @type {Legend | null} */ (null)),
		/** Reason why there is no legend, if any. */
		legendFault: signal(/** @type {string | null} */ (null)),
		colouring: signal(AS_STYLED),
		opacity: signal(1),
		dates,
		isUsual,
		timeDomain,
		timeIndex,
		instant,
		shownDate: computed(() => (instant.value ? whenText(instant.value, timeDomain.value.periods) : "")),
		/** Dates with numbers in the browser for the whole visible area, and their resolution. */
		loadedTimes: signal(/** @type {ReadonlyMap<number, Loaded>} */ (new Map())),
		/** Progress of the pictures: `filling` means complete except for newly visible areas. */
		tileProgress: signal(/** @type {TileProgress} */ ({ phase: "loading", failed: 0, total: 0 })),
	};
	return side;
}

export const sideA = makeSide("a");
export const { layer, style, legend, colouring, opacity, timeDomain, timeIndex, instant, shownDate } = sideA;
export const { loadedTimes, tileProgress } = sideA;
/** The side that is compared with A; null without a comparison. */
export const sideB = signal(/** @type {Side | null} */ (null));
/** How the two sides are shown; null without a comparison. */
export const compareMode = signal(/** @type {import("./permalink.js").CompareMode | null} */ (null));
/** Maximum number of additional layers in a link. */
export const MAX_EXTRAS = 7;
/** The additional layers, topmost first: those above the main layer before those below. */
export const extras = signal(/** @type {Extra[]} */ ([]));
/** The main side, and the other one while two are compared. */
export const comparedSides = computed(() => (sideB.value ? [sideA, sideB.value] : [sideA]));
/** All visible sides: the compared ones and the additional layers. */
export const sidesInSight = computed(() => {
	const beside = extras.value.filter(({ isShown }) => isShown);
	return [...comparedSides.value, ...beside.map(({ side }) => side)];
});
/** Attributions of the visible layers, without repetitions. */
export const attributions = computed(() => {
	const all = sidesInSight.value.map((side) => side.layer.value?.attribution);
	return [...new Set(all.filter((each) => each))];
});

export const catalogue = signal(LOADING);
export const layers = signal(/** @type {Layer[]} */ ([]));
export const overlay = signal(true);
export const background = signal(BACKGROUNDS.peek()[0].id);
/** Extent of the map; only the map sets it. */
export const view = signal(/** @type {(View & { bbox: BBox }) | null} */ (null));
/**
 * Next target of the map; a fixed box stays fitted while the map changes its size, until the user moves it. `near` is a
 * place of the box for the centre, at a zoom level that does not depend on the size of the map.
 */
export const destination = signal(
	/** @type {{ view?: View, bbox?: BBox, isHeld?: boolean, near?: Point } | null} */ (null),
);
/** Position of the pointer, or of the centre in keyboard mode; only the map sets it. */
export const pointer = signal(/** @type {Point | null} */ (null));
/** The selected places, in the order of their selection. */
export const places = signal(/** @type {Place[]} */ ([]));
/** The inspection next to the map, and its line; null if none is open. */
export const inspected = signal(/** @type {"profile" | "scatter" | "cube" | null} */ (null));
export const profileLine = signal(/** @type {Point[] | null} */ (null));
/** The tool that currently uses clicks on the map and Enter, by name; null while they select a point. */
export const mapTool = signal(/** @type {string | null} */ (null));
/** Names of selected areas that do not fit into a link; only the areas set it. */
export const unlinkable = signal(/** @type {string[]} */ ([]));
/** Whether the report of a selected place is open. */
export const isReportOpen = signal(false);
/**
 * Whether time is moving, by hand or by itself: coarse numbers may then be shown until the fine ones are loaded.
 */
export const isMoving = signal(false);
/** Whether a pressed pointer may drag time: nothing is prefetched then. */
export const isPressed = signal(false);
/** Whether the pointer is dragging time: nothing is requested then. */
export const isDragged = signal(false);
/** Index of the expected next date, around which a preview is loaded; -1 if there is none. */
export const ahead = signal(-1);
/**
 * Counts up when the user is about to move through time (focus, hover, drag, play): numbers of other dates are loaded
 * then.
 */
export const intent = signal(0);
/** Whether layers that a class layer can mask are shown so. */
export const isClearOnly = signal(true);
/** Treatment of gaps: they are visible, show the last value, or dates with many of them are not played. */
export const gaps = signal(/** @type {import("./permalink.js").Gaps} */ ("show"));
/** Whether places without a value show their last one. */
export const isGapFilled = computed(() => gaps.value === "last");
export const notices = signal(/** @type {Notice[]} */ ([]));
/** The place that the search has found. */
export const foundPlace = signal(/** @type {(Point & { name: string }) | null} */ (null));
/** The colour scheme, and whether it is dark; canvases are drawn again when it changes. */
export const theme = signal(/** @type {import("./permalink.js").Theme} */ ("auto"));
export const isDark = signal(false);
/** Content of the map for screen readers, announced at most once a second. */
export const spoken = signal("");
/** Result of the last action, announced before the content of the map. */
export const outcome = signal("");
/** Incremented to open the saved views. */
export const storiesOpened = signal(0);

const linkParts = signal(/** @type {LinkPart[]} */ ([]));

/** The link to this state; null until there is one. */
export const link = computed(() => {
	const parts = linkParts.value.map(({ write }) => write());
	// While dates are loading, the previous link is still valid; if they fail, the layer is shown.
	if (!layer.value || timeDomain.value.phase === "loading" || !view.value) return null;
	const { bbox, lon, lat, zoom } = view.value;
	/** @type {Link} */
	const now = {
		language: language(),
		layer: layer.value.id,
		date: instant.value ? dateOf(timeDomain.value.instants, timeIndex.value) : undefined,
		bbox,
		overlay: overlay.value,
		overlays: shownOverlays.value.length > 0 ? shownOverlays.value : undefined,
		bgLayer: background.value,
		view: { lon, lat, zoom },
		style: style.value === layer.value.styles[0]?.id ? undefined : style.value,
		gaps: gaps.value === "show" ? undefined : gaps.value,
		pt: points.value.length > 0 ? points.value : undefined,
	};
	return Object.assign(now, ...parts);
});

/** The link that was followed last, for parts that are loaded later; only the function that follows one sets it. */
export const followedLink = signal(/** @type {Link} */ ({}));

/**
 * Registers a part of the viewer that contributes to links and reads followed ones.
 * @param {LinkPart} part
 */
export function joinLink(part) {
	linkParts.value = [...linkParts.peek(), part];
	part.read(followedLink.peek());
}

/**
 * Keeps a signal in links under a name, while it has not its usual value.
 * @template {keyof Link} K
 * @param {K} key
 * @param {{ value: NonNullable<Link[K]> }} of
 * @param {NonNullable<Link[K]>} usual
 */
export function joinLinkAs(key, of, usual) {
	joinLink({
		write: () => ({ [key]: of.value === usual ? undefined : of.value }),
		read: (asked) => {
			of.value = asked[key] ?? usual;
		},
	});
}

joinLinkAs("opacity", opacity, 1);
joinLinkAs("clear", isClearOnly, true);
joinLinkAs("report", isReportOpen, false);

/**
 * Shows a notice, which replaces the one with the same id.
 * @param {string} id
 * @param {string} message
 * @param {Action} [action]
 */
export function notify(id, message, action) {
	notices.value = [...notices.peek().filter((notice) => notice.id !== id), { id, message, action }];
}

/** @param {string} id */
export function dismiss(id) {
	if (notices.peek().some((notice) => notice.id === id)) {
		notices.value = notices.peek().filter((notice) => notice.id !== id);
	}
}

/**
 * Whether the values of a side are amounts, in contrast to pictures, classes and directions; null while unknown.
 * @param {Side} side
 */
export function hasAmounts({ layer, legend }) {
	if (!layer.value) return null;
	if (layer.value.variable === null || layer.value.full_turn !== undefined) return false;
	return legend.value && legend.value.type !== "classes";
}

/** The name of a notice about a side. @param {Side} side @param {string} about */
export const noticeOf = (side, about) => (side.id === "a" ? about : `${about} ${side.id}`);

/** Returns the action of a notice that repeats what failed. @param {() => void} run */
export const tryAgain = (run) => ({ label: text("action.tryAgain"), run });

/** @param {unknown} error */
const reason = (error) => (error instanceof Problem ? error.message : String(error));

/**
 * Loads the list of layers, unless it was requested already, and shows the layer of the link.
 * @param {Link} asked
 * @param {Promise<Layer[] | null>} [listed]
 */
export async function openCatalogue(asked, listed = Promise.resolve(null)) {
	catalogue.value = LOADING;
	try {
		const listedLayers = (await listed) ?? (await fetchLayers(new AbortController().signal));
		layers.value = listedLayers.map((each) => ({ ...each, styles: each.styles.map(inPageLanguage) }));
		catalogue.value = { phase: "ready", why: "" };
	} catch (error) {
		catalogue.value = { phase: "failed", why: reason(error) };
		return;
	}
	await followLink(asked);
}

/** Shows the layer and date of a link, or the nearest ones. @param {Link} asked */
export async function followLink(asked) {
	const before = layer.peek();
	const openedLayer = await findLayer(asked.layer);
	// In the meantime, another link may have been followed or a layer chosen.
	if (!openedLayer || followedLink.peek() !== asked || layer.peek() !== before) return;
	if (asked.layer !== undefined && openedLayer.isInstead) {
		const message = text("link.unknownLayer", { layer: asked.layer, instead: openedLayer.layer.title });
		notify("layer", message);
		missed.value = { link: asked, message, instead: openedLayer.layer.id };
	} else missed.value = null;
	if (!asked.view && !asked.bbox && !view.peek())
		destination.value = { bbox: openedLayer.layer.bbox, near: points.peek()[0] };
	await openLayer(openedLayer.layer, asked);
}

/** The layer of that id or alias, else the first. @param {string | undefined} id */
export async function findLayer(id) {
	const all = layers.peek();
	const layerId = id ?? defaultLayer.peek() ?? undefined;
	const listed = all.find((each) => each.id === layerId);
	if (listed) return { layer: listed, isInstead: false };
	if (layerId !== undefined) {
		const aliased = await fetchLayer(layerId, new AbortController().signal).catch(() => null);
		if (aliased) return { layer: all.find((each) => each.id === aliased.id) ?? aliased, isInstead: false };
	}
	return all.length > 0 ? { layer: all[0], isInstead: true } : null;
}

/**
 * @typedef {{ wish: Wish, loading?: AbortController, clear?: string }} Asked `clear` is the newest clear date, if the
 *   server had to be queried; it may be newer than the loaded dates
 */
/** The request for the layer that is loading, with its abort controller, by side. @type {WeakMap<Side, Asked>} */
const opening = new WeakMap();

/**
 * Shows a layer on a side, at the date and in the style wished for or those nearest to them.
 * @param {Layer} next
 * @param {Wish} wish
 * @param {Side} [side]
 */
export async function openLayer(next, wish, side = sideA) {
	opening.get(side)?.loading?.abort();
	const loading = new AbortController();
	/** @type {Asked} */
	const asked = { wish, loading };
	opening.set(side, asked);
	const { signal: stopped } = loading;
	const chosen = next.styles.find(({ id }) => id === wish.style) ?? next.styles[0];
	if (wish.style !== undefined && chosen?.id !== wish.style && wish.style !== "default") {
		notify("style", text("link.unknownStyle", { style: wish.style, instead: chosen?.title ?? "" }));
	}
	batch(() => {
		side.layer.value = asShown(next);
		side.style.value = chosen?.id ?? "";
		side.dates.value = NO_TIMES;
		side.timeIndex.value = -1;
	});
	try {
		const { times, ends, validShares } =
			next.times.count > 0 ? await fetchTimes(asShown(next), stopped) : { times: [], ends: [], validShares: [] };
		if (stopped.aborted) return;
		const instants = times.map((time, index) => toInstant(time, ends[index]));
		const isUnknown = wish.date === undefined && validShares.at(-1) === null;
		if (isUnknown) asked.clear = await clearDate(next, stopped);
		if (stopped.aborted) return;
		batch(() => {
			side.dates.value = { phase: "ready", why: "", instants, validShares };
			side.timeIndex.value = indexFor(next, side.timeDomain.peek(), asked);
		});
	} catch (error) {
		if (!stopped.aborted) side.dates.value = { ...NO_TIMES, phase: "failed", why: reason(error) };
	}
}

/**
 * Returns the newest clear date of a layer whose shares the server has not counted yet.
 * @param {Layer} of
 * @param {AbortSignal} stopped
 */
const clearDate = ({ id }, stopped) =>
	fetchLayer(id, AbortSignal.any([stopped, AbortSignal.timeout(CLEAR_WAIT_MS)])).then(
		({ times }) => times.clear ?? undefined,
		() => undefined,
	);

/** Returns a layer without its masked form. @param {Layer} of */
function asShown({ masked: _, ...of }) {
	const { clear } = of;
	return clear && isClearOnly.peek() ? { ...of, masked: clear.masked, revision: clear.revision } : of;
}

/** Shows clear pixels alone, or all, on all sides. @param {boolean} isOn */
export function chooseClear(isOn) {
	isClearOnly.value = isOn;
	for (const side of sidesNow()) {
		const listed = layers.peek().find(({ id, clear }) => clear && id === side.layer.peek()?.id);
		if (listed) void openLayer(listed, { date: side.instant.peek()?.text, style: side.style.peek() }, side);
	}
}

/**
 * Returns the index of the requested date, of the period that contains it, of the nearest one, or of the default of the
 * layer; if that is its last date, of the newest clear one.
 * @param {Layer} of
 * @param {Pick<TimeDomain, "instants" | "validShares">} domain
 * @param {Asked} [asked]
 */
function indexFor(of, { instants, validShares }, { wish: { date }, clear } = { wish: {} }) {
	if (instants.length === 0) return -1;
	if (date === undefined) {
		const { default: usual, last } = of.times;
		const shownInstant = clear ?? (usual === last ? null : usual);
		return shownInstant === null ? newestClear(validShares) : indexOfMoment(instants, Date.parse(shownInstant));
	}
	const { index, exact } = resolveDate(instants, date);
	if (!exact) {
		const [asked, nearest] = [formatNamed(date, locale()) ?? date, formatInstant(instants[index], locale())];
		notify("date", text("link.noDataThen", { asked, layer: of.title, nearest }));
	}
	return index;
}

/** Returns the current sides. */
const sidesNow = () => [...comparedSides.peek(), ...extras.peek().map(({ side }) => side)];

/**
 * Changes the rule that groups dates of sides into periods; each side then shows the period of its date, or a date of
 * its period.
 * @param {() => void} change @param {Side[]} [sides]
 */
export function regroup(change, sides = sidesNow()) {
	const before = sides.map((side) => side.instant.peek()?.ms);
	// Code that draws the previous dates must not see the new ones, and is removed only after all effects ran.
	batch(() => {
		for (const side of sides) side.timeIndex.value = -1;
		change();
	});
	batch(() => {
		for (const [at, side] of sides.entries()) {
			const [of, domain, ms] = [side.layer.peek(), side.timeDomain.peek(), before[at]];
			if (ms !== undefined) side.timeIndex.value = indexOfMoment(domain.instants, ms);
			else if (of) side.timeIndex.value = indexFor(of, domain, opening.get(side));
		}
	});
}

/** @param {Grouping | null} make */
export const setGrouping = (make) =>
	regroup(() => {
		grouping.value = make;
	});

/** Shows another layer at the date shown now. @param {string} id @param {Side} [side] */
export function chooseLayer(id, side = sideA) {
	const next = layers.peek().find((each) => each.id === id);
	if (!next || next === side.layer.peek()) return;
	const date = side.instant.peek()?.text;
	for (const about of ["layer", "style", "date"]) dismiss(about);
	side.colouring.value = AS_STYLED;
	void openLayer(next, { date }, side);
}

/** Requests the dates of the layer again. @param {Side} [side] */
export function retryTimes(side = sideA) {
	const again = side.layer.peek();
	if (again) void openLayer(again, opening.get(side)?.wish ?? {}, side);
}

/** @param {string} id @param {Side} [side] */
export function chooseStyle(id, side = sideA) {
	batch(() => {
		side.style.value = id;
		side.colouring.value = AS_STYLED;
	});
}

/** @param {number} index @param {Side} [side] */
export function chooseTime(index, side = sideA) {
	const last = side.timeDomain.peek().instants.length - 1;
	side.timeIndex.value = Math.max(Math.min(0, last), Math.min(last, index));
	dismiss("date");
}

/** Maximum number of selected places: the number of PLACE_COLOURS. */
export const MAX_PLACES = 8;
/** Colours of marks and lines, in the order of their use; app.css defines them for both colour schemes. */
const PLACE_COLOURS = Array.from({ length: MAX_PLACES }, (_, index) => `--place-${index + 1}`);

/** Returns the number on the mark of a place and next to its name, in addition to its colour. @param {Place} place */
export const placeNumber = ({ colour }) => PLACE_COLOURS.indexOf(colour) + 1;

let placesMade = 0;

/**
 * A place with the first colour that is free.
 * @param {Geometry} geometry
 * @param {string} name
 * @param {Partial<Place>} [more]
 * @returns {Place}
 */
export function makePlace(geometry, name, more = {}) {
	const taken = new Set(places.peek().map(({ colour }) => colour));
	const colour = PLACE_COLOURS.find((each) => !taken.has(each)) ?? PLACE_COLOURS[0];
	placesMade += 1;
	return { id: `place-${placesMade}`, name, colour, geometry, isShown: true, isSaved: false, isKept: false, ...more };
}

/** @param {Place} place */
const isPoint = ({ geometry }) => geometry.type === "Point";

/** The selected points. */
export const points = computed(() =>
	places.value.filter(isPoint).map(({ geometry }) => {
		const [lon, lat] = /** @type {number[]} */ (geometry.coordinates);
		return { lon, lat };
	}),
);

/**
 * Selects a place, which replaces the last one unless that is kept.
 * @param {Geometry} geometry @param {string} name @param {boolean} isKept whether the existing places stay
 */
export function choosePlace(geometry, name, isKept) {
	const all = isKept ? places.peek().map((each) => ({ ...each, isKept: true })) : places.peek();
	const last = all.findLast((each) => !each.isKept && !each.isSaved);
	if (!last && all.length >= MAX_PLACES) {
		notify("places", text("places.tooMany", { count: MAX_PLACES }));
		return;
	}
	places.value = last
		? all.map((each) => (each === last ? { ...last, geometry, name, isShown: true } : each))
		: [...all, makePlace(geometry, name)];
}

/** @param {Point} point @param {boolean} [isKept] whether the existing places stay */
export const choosePoint = ({ lon, lat }, isKept = false) =>
	choosePlace({ type: "Point", coordinates: [lon, lat] }, "", isKept);

/** The action of a click on the map, or of Enter at its centre. */
export const chooser = signal(/** @type {(point: Point, isKept: boolean) => void} */ (choosePoint));

/** @param {string} id @param {Partial<Pick<Place, "name" | "isShown" | "isKept">>} change */
export function changePlace(id, change) {
	places.value = places.peek().map((place) => (place.id === id ? { ...place, ...change } : place));
}

/** @param {string} id */
export const removePlace = (id) => {
	places.value = places.peek().filter((place) => place.id !== id);
};

/** @param {Layer | null} [of] */
export function zoomToLayer(of = layer.peek()) {
	if (of) destination.value = { bbox: of.bbox };
}

/** Wears other colours; land in the old ones follows. @param {import("./permalink.js").Theme} next */
export function chooseTheme(next) {
	const isUsual = background.peek() === usualBackground();
	theme.value = next;
	if (isUsual) background.value = usualBackground();
}

/** Adopts the values of a link except layer and date, which need a request to the server. @param {Link} asked */
export function applyLink(asked) {
	batch(() => {
		followedLink.value = asked;
		const isKnownBackground = BACKGROUNDS.peek().some(({ id }) => id === asked.bgLayer);
		if (asked.bgLayer !== undefined && !isKnownBackground) {
			notify("background", text("link.unknownBackground", { background: asked.bgLayer }));
		}
		background.value = isKnownBackground ? /** @type {string} */ (asked.bgLayer) : usualBackground();
		overlay.value = asked.overlay ?? true;
		shownOverlays.value = (asked.overlays ?? []).filter((id) => overlayMaps.peek().some((map) => map.id === id));
		// Links of before name how many percent of gaps are too many.
		gaps.value = asked.gaps ?? ((asked.maxcloud ?? 100) < 100 ? "skip" : "show");
		places.value = places.peek().filter((place) => !isPoint(place));
		for (const point of asked.pt ?? []) choosePoint(point, true);
		if (asked.view) destination.value = { view: asked.view };
		else if (asked.bbox) destination.value = { bbox: asked.bbox };
		if (asked.language !== undefined && asked.language.split("-")[0] !== language()) {
			notify("language", text("link.unknownLanguage", { language: asked.language }));
		}
		// Until the rule of periods is loaded, there are none.
		if ((asked.slot || asked.date2 === "usual") && !grouping.peek()) grouping.value = () => NO_TIMES;
		for (const { read } of linkParts.peek()) read(asked);
	});
	// The colour scheme is known after all parts have read the link.
	if (asked.bgLayer === undefined) background.value = usualBackground();
}

/** The land of our own that suits the colours of the page. */
export const ownLand = () => (isDark.peek() ? "NaturalEarth_Dark" : "NaturalEarth");

/** The default background. */
const usualBackground = () => defaultBackground.peek() ?? ownLand();

/** Reports all faults of a link in one notice. @param {Fault[]} faults */
export function reportFaults(faults) {
	if (faults.length === 0) return;
	const faultTexts = faults.map(({ key, value, expected }) =>
		text("link.badValue", { key, value: value.slice(0, 80), expected: text(expected.key, expected.values) }),
	);
	notify("parameters", text("link.badParameters", { count: faultTexts.length, list: faultTexts.join("; ") }));
}
