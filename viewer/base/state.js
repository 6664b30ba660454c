/**
 * The state of the viewer: signals that other modules read in effects, and functions that change them. No other module
 * assigns a value. A setter is imported by one module, or its comment calls it the single way to change the signal.
 * tests/viewer/base/state.test.js checks both rules.
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
 * @typedef {ReturnType<typeof makeSignals>} SideSignals
 * @typedef {{ readonly [K in keyof SideSignals]: SideSignals[K] extends { readonly value: infer T }
 *   ? ReadonlySignal<T> : SideSignals[K] }} Side signals of one map that other modules only read
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

/**
 * @template T
 * @typedef {{ readonly value: T, peek: () => T }} ReadonlySignal
 */

/**
 * Returns a signal that other modules only read, and the function that changes its value.
 * @template T
 * @param {T} initial
 * @returns {[state: ReadonlySignal<T>, change: (value: T) => void]}
 */
function makeState(initial) {
	const state = signal(initial);
	const change = (/** @type {T} */ value) => {
		state.value = value;
	};
	return [state, change];
}

/** The backgrounds: ids, as in links, and titles. The first is the default. */
const [BACKGROUNDS, setBackgrounds] = makeState(/** @type {Background[]} */ ([{ id: "NaturalEarth", title: "" }]));

/** Title of this server. */
const [serviceTitle, setServiceTitle] = makeState("");

/** Configured maps that may be drawn over the data, and the ids of the visible ones. */
const [overlayMaps, setOverlayMaps] = makeState(/** @type {import("./api.js").BaseMap[]} */ ([]));
export const [shownOverlays, showOverlayMaps] = makeState(/** @type {string[]} */ ([]));

const [defaultBackground, setDefaultBackground] = makeState(/** @type {string | null} */ (null));

/** The configured geocoder. */
const [geocoder, setGeocoder] = makeState(/** @type {import("./api.js").Geocoder | null} */ (null));

/** Whether users may sign in. */
const [isSignInOffered, setIsSignInOffered] = makeState(false);

/** A link to a layer that is not there, at least not for this user, and the layer that is shown instead. */
const [missed, setMissed] = makeState(/** @type {{ link: Link, message: string, instead: string } | null} */ (null));

/** Layer that is shown if the link has none; null means the first. */
const [defaultLayer, setDefaultLayer] = makeState(/** @type {string | null} */ (null));

/**
 * Adopts the configuration; the texts must be loaded.
 * @param {import("./api.js").ViewerConfig | null} config
 */
export function configure(config) {
	batch(() => {
		setServiceTitle(config?.title ?? "");
		setDefaultLayer(config?.default_layer ?? null);
		setGeocoder(config?.geocoder ?? null);
		setOverlayMaps(config?.overlays ?? []);
		setDefaultBackground(config?.default_base_map ?? null);
		setIsSignInOffered(config?.sign_in !== undefined);
		setBackgrounds([
			{ id: "NaturalEarth", title: text("display.light") },
			{ id: "NaturalEarth_Dark", title: text("display.dark") },
			...(config?.base_maps ?? []).map((baseMap) => ({ id: baseMap.id, title: baseMap.title, baseMap })),
			{ id: "None", title: text("display.none") },
		]);
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
const [grouping, replaceGrouping] = makeState(/** @type {Grouping | null} */ (null));

/** Returns the state of one map. @param {string} id @returns {Side} */
export const makeSide = (id) => makeSignals(id);

/** @param {string} id */
function makeSignals(id) {
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

/** @param {Side} side */
const writable = (side) => /** @type {SideSignals} */ (side);

/** The single way to change the colouring. @param {Side} side @param {Colouring} colouring */
export function recolour(side, colouring) {
	writable(side).colouring.value = colouring;
}

/** The single way to change the opacity. @param {Side} side @param {number} opacity from 0 to 1 */
export function setOpacity(side, opacity) {
	writable(side).opacity.value = opacity;
}

/** The single way to set an index without limits; -1 means no date. @param {Side} side @param {number} index */
export function setTimeIndex(side, index) {
	writable(side).timeIndex.value = index;
}

/**
 * The single way to change dates after they were loaded; without a change, code that depends on them runs again.
 * @param {Side} side @param {Partial<TimeDomain>} [change]
 */
export function changeDates(side, change) {
	writable(side).dates.value = { ...side.dates.peek(), ...change };
}

/** @param {Side} side @param {boolean} isUsual */
export function setUsual(side, isUsual) {
	writable(side).isUsual.value = isUsual;
}

/** @param {Side} side @param {Legend | null} legend */
export function setLegend(side, legend) {
	writable(side).legend.value = legend;
}

/** @param {Side} side @param {string | null} fault */
export function setLegendFault(side, fault) {
	writable(side).legendFault.value = fault;
}

/** @param {Side} side @param {ReadonlyMap<number, Loaded>} times */
export function reportLoadedTimes(side, times) {
	writable(side).loadedTimes.value = times;
}

/** The single way to change the progress of the pictures. @param {Side} side @param {TileProgress} progress */
export function reportTileProgress(side, progress) {
	writable(side).tileProgress.value = progress;
}

export const sideA = makeSide("a");
export const { layer, style, legend, colouring, opacity, timeDomain, timeIndex, instant, shownDate } = sideA;
export const { loadedTimes, tileProgress } = sideA;
/** The side that is compared with A; null without a comparison. */
export const [sideB, replaceSideB] = makeState(/** @type {Side | null} */ (null));
/** How the two sides are shown; null without a comparison. `chooseCompareMode` is the single way to change it. */
export const [compareMode, chooseCompareMode] = makeState(
	/** @type {import("./permalink.js").CompareMode | null} */ (null),
);
/** Maximum number of additional layers in a link. */
export const MAX_EXTRAS = 7;
/** The additional layers, topmost first: those above the main layer before those below. */
export const [extras, replaceExtras] = makeState(/** @type {Extra[]} */ ([]));
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

const [catalogue, setCatalogue] = makeState(LOADING);
const [layers, setLayers] = makeState(/** @type {Layer[]} */ ([]));
export const [overlay, showOverlay] = makeState(true);
export const [background, chooseBackground] = makeState(BACKGROUNDS.peek()[0].id);
/** Extent of the map; only the map sets it. */
export const [view, reportView] = makeState(/** @type {(View & { bbox: BBox }) | null} */ (null));
/**
 * Next target of the map; a fixed box stays fitted while the map changes its size, until the user moves it. `near` is a
 * place of the box for the centre, at a zoom level that does not depend on the size of the map.
 * `moveMap` is the single way to set it.
 */
export const [destination, moveMap] = makeState(
	/** @type {{ view?: View, bbox?: BBox, isHeld?: boolean, near?: Point } | null} */ (null),
);
/** Position of the pointer, or of the centre in keyboard mode; only the map sets it. */
export const [pointer, reportPointer] = makeState(/** @type {Point | null} */ (null));
/** The selected places, in the order of their selection. `replacePlaces` is the single way to change several. */
export const [places, replacePlaces] = makeState(/** @type {Place[]} */ ([]));
/** The inspection next to the map; null if none is open. `openInspection` is the single way to change it. */
export const [inspected, openInspection] = makeState(/** @type {"profile" | "scatter" | "cube" | null} */ (null));
/** The line of a profile. `chooseProfileLine` is the single way to change it. */
export const [profileLine, chooseProfileLine] = makeState(/** @type {Point[] | null} */ (null));
/** The tool that currently uses clicks on the map and Enter, by name; null while they select a point. */
export const [mapTool, chooseMapTool] = makeState(/** @type {string | null} */ (null));
/** Names of selected areas that do not fit into a link; only the areas set it. */
export const [unlinkable, reportUnlinkable] = makeState(/** @type {string[]} */ ([]));
/** Whether the report of a selected place is open. `showReport` is the single way to change it. */
export const [isReportOpen, showReport] = makeState(false);
/**
 * Whether time is moving, by hand or by itself: coarse numbers may then be shown until the fine ones are loaded.
 * `setMoving` is the single way to change it.
 */
export const [isMoving, setMoving] = makeState(false);
/** Whether a pressed pointer may drag time: nothing is prefetched then. */
export const [isPressed, setPressed] = makeState(false);
/** Whether the pointer is dragging time: nothing is requested then. `setDragged` is the single way to change it. */
export const [isDragged, setDragged] = makeState(false);
/**
 * Index of the expected next date, around which a preview is loaded; -1 if there is none.
 * `expectDate` is the single way to change it.
 */
export const [ahead, expectDate] = makeState(-1);
/**
 * Counts up when the user is about to move through time (focus, hover, drag, play): numbers of other dates are loaded
 * then.
 */
const [intent, setIntent] = makeState(0);
/** The single way to count `intent` up. */
export const prepareMoves = () => setIntent(intent.peek() + 1);
/** Whether layers that a class layer can mask are shown so. */
const [isClearOnly, setIsClearOnly] = makeState(true);
/**
 * Treatment of gaps: they are visible, show the last value, or dates with many of them are not played.
 * `chooseGaps` is the single way to change it.
 */
export const [gaps, chooseGaps] = makeState(/** @type {import("./permalink.js").Gaps} */ ("show"));
/** Whether places without a value show their last one. */
export const isGapFilled = computed(() => gaps.value === "last");
const [notices, setNotices] = makeState(/** @type {Notice[]} */ ([]));
/** The place that the search has found. `showFoundPlace` is the single way to change it. */
export const [foundPlace, showFoundPlace] = makeState(/** @type {(Point & { name: string }) | null} */ (null));
/** The colour scheme, and whether it is dark; canvases are drawn again when it changes. */
const [theme, setTheme] = makeState(/** @type {import("./permalink.js").Theme} */ ("auto"));
export const [isDark, setDark] = makeState(false);
/**
 * Content of the map for screen readers, announced at most once a second.
 * `describeMap` is the single way to change it.
 */
export const [spoken, describeMap] = makeState("");
/**
 * Result of the last action, announced before the content of the map.
 * `announceOutcome` is the single way to change it.
 */
export const [outcome, announceOutcome] = makeState("");
/** Incremented to open the saved views. */
const [storiesOpened, setStoriesOpened] = makeState(0);
export const openStories = () => setStoriesOpened(storiesOpened.peek() + 1);

const [linkParts, setLinkParts] = makeState(/** @type {LinkPart[]} */ ([]));

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
const [followedLink, setFollowedLink] = makeState(/** @type {Link} */ ({}));

/**
 * Registers a part of the viewer that contributes to links and reads followed ones.
 * @param {LinkPart} part
 */
export function joinLink(part) {
	setLinkParts([...linkParts.peek(), part]);
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
	const change = (/** @type {NonNullable<Link[K]>} */ value) => {
		of.value = value;
	};
	joinState(key, [of, change], usual);
}

/**
 * @template {keyof Link} K
 * @param {K} key
 * @param {[state: { readonly value: NonNullable<Link[K]> }, change: (value: NonNullable<Link[K]>) => void]} state
 * @param {NonNullable<Link[K]>} usual
 */
function joinState(key, [state, change], usual) {
	joinLink({
		write: () => ({ [key]: state.value === usual ? undefined : state.value }),
		read: (asked) => change(asked[key] ?? usual),
	});
}

joinState("opacity", [opacity, (value) => setOpacity(sideA, value)], 1);
joinState("clear", [isClearOnly, setIsClearOnly], true);
joinState("report", [isReportOpen, showReport], false);

/** Adds the chosen colour scheme to links. */
export const joinTheme = () => joinState("theme", [theme, setTheme], "auto");

/**
 * Shows a notice, which replaces the one with the same id.
 * @param {string} id
 * @param {string} message
 * @param {Action} [action]
 */
export function notify(id, message, action) {
	setNotices([...notices.peek().filter((notice) => notice.id !== id), { id, message, action }]);
}

/** @param {string} id */
export function dismiss(id) {
	if (notices.peek().some((notice) => notice.id === id)) {
		setNotices(notices.peek().filter((notice) => notice.id !== id));
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
	setCatalogue(LOADING);
	try {
		const listedLayers = (await listed) ?? (await fetchLayers(new AbortController().signal));
		setLayers(listedLayers.map((each) => ({ ...each, styles: each.styles.map(inPageLanguage) })));
		setCatalogue({ phase: "ready", why: "" });
	} catch (error) {
		setCatalogue({ phase: "failed", why: reason(error) });
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
		setMissed({ link: asked, message, instead: openedLayer.layer.id });
	} else setMissed(null);
	if (!asked.view && !asked.bbox && !view.peek()) moveMap({ bbox: openedLayer.layer.bbox, near: points.peek()[0] });
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
		writable(side).layer.value = asShown(next);
		writable(side).style.value = chosen?.id ?? "";
		writable(side).dates.value = NO_TIMES;
		setTimeIndex(side, -1);
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
			writable(side).dates.value = { phase: "ready", why: "", instants, validShares };
			setTimeIndex(side, indexFor(next, side.timeDomain.peek(), asked));
		});
	} catch (error) {
		if (!stopped.aborted) writable(side).dates.value = { ...NO_TIMES, phase: "failed", why: reason(error) };
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
	setIsClearOnly(isOn);
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
		for (const side of sides) setTimeIndex(side, -1);
		change();
	});
	batch(() => {
		for (const [at, side] of sides.entries()) {
			const [of, domain, ms] = [side.layer.peek(), side.timeDomain.peek(), before[at]];
			if (ms !== undefined) setTimeIndex(side, indexOfMoment(domain.instants, ms));
			else if (of) setTimeIndex(side, indexFor(of, domain, opening.get(side)));
		}
	});
}

/** @param {Grouping | null} make */
export const setGrouping = (make) =>
	regroup(() => {
		replaceGrouping(make);
	});

/** Shows another layer at the date shown now. @param {string} id @param {Side} [side] */
export function chooseLayer(id, side = sideA) {
	const next = layers.peek().find((each) => each.id === id);
	if (!next || next === side.layer.peek()) return;
	const date = side.instant.peek()?.text;
	for (const about of ["layer", "style", "date"]) dismiss(about);
	recolour(side, AS_STYLED);
	void openLayer(next, { date }, side);
}

/** Requests the dates of the layer again. @param {Side} [side] */
export function retryTimes(side = sideA) {
	const again = side.layer.peek();
	if (again) void openLayer(again, opening.get(side)?.wish ?? {}, side);
}

/** The single way to choose another style. @param {string} id @param {Side} [side] */
export function chooseStyle(id, side = sideA) {
	batch(() => {
		writable(side).style.value = id;
		recolour(side, AS_STYLED);
	});
}

/** @param {number} index @param {Side} [side] */
export function chooseTime(index, side = sideA) {
	const last = side.timeDomain.peek().instants.length - 1;
	setTimeIndex(side, Math.max(Math.min(0, last), Math.min(last, index)));
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
	replacePlaces(
		last
			? all.map((each) => (each === last ? { ...last, geometry, name, isShown: true } : each))
			: [...all, makePlace(geometry, name)],
	);
}

/** @param {Point} point @param {boolean} [isKept] whether the existing places stay */
export const choosePoint = ({ lon, lat }, isKept = false) =>
	choosePlace({ type: "Point", coordinates: [lon, lat] }, "", isKept);

/** The action of a click on the map, or of Enter at its centre. */
export const [chooser, replaceChooser] = makeState(
	/** @type {(point: Point, isKept: boolean) => void} */ (choosePoint),
);

/** @param {string} id @param {Partial<Pick<Place, "name" | "isShown" | "isKept">>} change */
export function changePlace(id, change) {
	replacePlaces(places.peek().map((place) => (place.id === id ? { ...place, ...change } : place)));
}

/** @param {string} id */
export const removePlace = (id) => {
	replacePlaces(places.peek().filter((place) => place.id !== id));
};

/** @param {Layer | null} [of] */
export function zoomToLayer(of = layer.peek()) {
	if (of) moveMap({ bbox: of.bbox });
}

/** Wears other colours; land in the old ones follows. @param {import("./permalink.js").Theme} next */
export function chooseTheme(next) {
	const isUsual = background.peek() === usualBackground();
	setTheme(next);
	if (isUsual) chooseBackground(usualBackground());
}

/** Adopts the values of a link except layer and date, which need a request to the server. @param {Link} asked */
export function applyLink(asked) {
	batch(() => {
		setFollowedLink(asked);
		const isKnownBackground = BACKGROUNDS.peek().some(({ id }) => id === asked.bgLayer);
		if (asked.bgLayer !== undefined && !isKnownBackground) {
			notify("background", text("link.unknownBackground", { background: asked.bgLayer }));
		}
		chooseBackground(isKnownBackground ? /** @type {string} */ (asked.bgLayer) : usualBackground());
		showOverlay(asked.overlay ?? true);
		showOverlayMaps((asked.overlays ?? []).filter((id) => overlayMaps.peek().some((map) => map.id === id)));
		// Links of before name how many percent of gaps are too many.
		chooseGaps(asked.gaps ?? ((asked.maxcloud ?? 100) < 100 ? "skip" : "show"));
		replacePlaces(places.peek().filter((place) => !isPoint(place)));
		for (const point of asked.pt ?? []) choosePoint(point, true);
		if (asked.view) moveMap({ view: asked.view });
		else if (asked.bbox) moveMap({ bbox: asked.bbox });
		if (asked.language !== undefined && asked.language.split("-")[0] !== language()) {
			notify("language", text("link.unknownLanguage", { language: asked.language }));
		}
		// Until the rule of periods is loaded, there are none.
		if ((asked.slot || asked.date2 === "usual") && !grouping.peek()) replaceGrouping(() => NO_TIMES);
		for (const { read } of linkParts.peek()) read(asked);
	});
	// The colour scheme is known after all parts have read the link.
	if (asked.bgLayer === undefined) chooseBackground(usualBackground());
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

export {
	BACKGROUNDS,
	catalogue,
	followedLink,
	geocoder,
	intent,
	isClearOnly,
	isSignInOffered,
	layers,
	missed,
	notices,
	overlayMaps,
	serviceTitle,
	storiesOpened,
	theme,
};
