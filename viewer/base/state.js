/**
 * The state of the viewer: signals that the other modules read by effect, and the functions that change them.
 *
 * What one map shows is a side: the main one, A, and in comparisons a second one, B, of the same form. The signals of A
 * are exported under their own names, for all that knows no comparisons.
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
 *   how periods are made of `dates`, by their indexes; normals are made of values reduced `by` this, and are of the
 *     `years`;
 *   `cubes` is null where only the server can make them
 * @typedef
 *   {{ times: (string | null)[], windows?: import("../ctc1/source.js").Window[], order?: string, areApart?: boolean }}
 *   CubesOfTimes
 *   the options of a `CubeSource` that concern time
 * @typedef {import("./permalink.js").Method | "usual" | "usual_dates"} Method how the values of a period become one;
 *   `usual` is what
 *   they are in the mean of all years, and `usual_dates` the same of single dates
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
 * @typedef {(side: Side) => TimeDomain | null} Grouping what makes periods of a side's dates; null where it shows those
 * @typedef {{ side: Side, isBelow: boolean, isShown: boolean }} Extra a layer shown beside the main one, below or
 *   above it
 */

import { batch, computed, signal } from "../vendor/signals-core.js";
import { fetchLayer, fetchLayers, fetchTimes, inPageLanguage, Problem } from "./api.js";
import { dateOf, formatInstant, formatNamed, indexOfMoment, newestClear, resolveDate, toInstant } from "./dates.js";
import { language, locale, text } from "./text.js";
import { whenText } from "./when.js";

/** @typedef {{ id: string, title: string, baseMap?: import("./api.js").BaseMap }} Background */

/** The backgrounds: ids, as links name them, and what people read. The first is the default. */
export const BACKGROUNDS = signal(/** @type {Background[]} */ ([{ id: "NaturalEarth", title: "" }]));

/** What this server calls itself. */
export const serviceTitle = signal("");

/** Maps of the configuration that may be laid over the data, and the ids of those that are. */
export const overlayMaps = signal(/** @type {import("./api.js").BaseMap[]} */ ([]));
export const shownOverlays = signal(/** @type {string[]} */ ([]));

const defaultBackground = signal(/** @type {string | null} */ (null));

/** What finds addresses elsewhere, as the configuration has it. */
export const geocoder = signal(/** @type {import("./api.js").Geocoder | null} */ (null));

/** Whether users may sign in. */
export const isSignInOffered = signal(false);

/** A link to a layer that is not there, at least not for this user, and the layer that is shown instead. */
export const missed = signal(/** @type {{ link: Link, message: string, instead: string } | null} */ (null));

/** Layer that is shown where the link names none; null: the first. */
const defaultLayer = signal(/** @type {string | null} */ (null));

/**
 * Takes over what the configuration says; the texts must be there.
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

/** What one map shows. @param {string} id */
export function makeSide(id) {
	/** The layer's own dates. */
	const dates = signal(NO_TIMES);
	/** Whether it shows what is usual and not what was. */
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
		/** Of the style, as the server tells it; null while it is loading. */
		legend: signal(/** @type {Legend | null} */ (null)),
		/** Why there is no legend, where that is so. */
		legendFault: signal(/** @type {string | null} */ (null)),
		colouring: signal(AS_STYLED),
		opacity: signal(1),
		dates,
		isUsual,
		timeDomain,
		timeIndex,
		instant,
		shownDate: computed(() => (instant.value ? whenText(instant.value, timeDomain.value.periods) : "")),
		/** Dates whose numbers are in the browser for all that the map shows, and how finely. */
		loadedTimes: signal(/** @type {ReadonlyMap<number, Loaded>} */ (new Map())),
		/** How far the pictures are: `filling` is when those shown are complete but for the places the map was moved to. */
		tileProgress: signal(/** @type {TileProgress} */ ({ phase: "loading", failed: 0, total: 0 })),
	};
	return side;
}

export const sideA = makeSide("a");
export const { layer, style, legend, colouring, opacity, timeDomain, timeIndex, instant, shownDate } = sideA;
export const { loadedTimes, tileProgress } = sideA;
/** What A is compared with; null while nothing is. */
export const sideB = signal(/** @type {Side | null} */ (null));
/** How the two sides are shown; null while nothing is compared. */
export const compareMode = signal(/** @type {import("./permalink.js").CompareMode | null} */ (null));
/** As many layers as links name, without the main one. */
export const MAX_EXTRAS = 7;
/** The layers beside the main one, the topmost first: those above it before those below. */
export const extras = signal(/** @type {Extra[]} */ ([]));
/** The main side, and the other one while two are compared. */
export const comparedSides = computed(() => (sideB.value ? [sideA, sideB.value] : [sideA]));
/** All of which something is shown: those, and the layers beside them. */
export const sidesInSight = computed(() => {
	const beside = extras.value.filter(({ isShown }) => isShown);
	return [...comparedSides.value, ...beside.map(({ side }) => side)];
});
/** Who made what is shown, each once. */
export const attributions = computed(() => {
	const all = sidesInSight.value.map((side) => side.layer.value?.attribution);
	return [...new Set(all.filter((each) => each))];
});

export const catalogue = signal(LOADING);
export const layers = signal(/** @type {Layer[]} */ ([]));
export const overlay = signal(true);
export const background = signal(BACKGROUNDS.peek()[0].id);
/** What the map shows; only the map sets it. */
export const view = signal(/** @type {(View & { bbox: BBox }) | null} */ (null));
/**
 * Where the map shall go next; a box that is held stays fitted while the map changes its size, until the user moves it.
 * `near` is a place of the box that shall be in the middle, at a zoom that the size of the map does not change.
 */
export const destination = signal(
	/** @type {{ view?: View, bbox?: BBox, isHeld?: boolean, near?: Point } | null} */ (null),
);
/** Where the pointer, or in keyboard mode the centre, of the map is; only the map sets it. */
export const pointer = signal(/** @type {Point | null} */ (null));
/** The places whose values are looked at, in the order in which they were chosen. */
export const places = signal(/** @type {Place[]} */ ([]));
/** What is looked into beside the map, and the line along which; null while nothing is. */
export const inspected = signal(/** @type {"profile" | "scatter" | "cube" | null} */ (null));
export const profileLine = signal(/** @type {Point[] | null} */ (null));
/** What clicks on the map and Enter are for just now, by name; null while they choose a point. */
export const mapTool = signal(/** @type {string | null} */ (null));
/** Names of areas that are looked at and for which a link has no room; only those who know areas set it. */
export const unlinkable = signal(/** @type {string[]} */ ([]));
/** Whether the report of a place that is looked at is shown. */
export const isReportOpen = signal(false);
/**
 * Whether time is moving, by hand or by itself: then coarse numbers may be shown where the fine ones are not there yet.
 */
export const isMoving = signal(false);
/** Whether a pointer is down that may drag time: nothing is loaded ahead then. */
export const isPressed = signal(false);
/** Whether it drags time and has not come to rest: nothing is asked for then. */
export const isDragged = signal(false);
/** Index of a date to which time may go next, so that a preview of what lies around it is loaded; -1 of none. */
export const ahead = signal(-1);
/**
 * Counts up when the user is about to move through time (focus, hover, drag, play): numbers of other dates are loaded
 * then.
 */
export const intent = signal(0);
/** Whether layers that a class layer can mask are shown so. */
export const isClearOnly = signal(true);
/** What becomes of gaps: they are seen, show the last value, or dates with many of them are not played. */
export const gaps = signal(/** @type {import("./permalink.js").Gaps} */ ("show"));
/** Whether places without a value show their last one. */
export const isGapFilled = computed(() => gaps.value === "last");
export const notices = signal(/** @type {Notice[]} */ ([]));
/** The place that the search has found. */
export const foundPlace = signal(/** @type {(Point & { name: string }) | null} */ (null));
/** The colours that the page wears, and whether they are the dark ones: what is drawn in them is drawn anew then. */
export const theme = signal(/** @type {import("./permalink.js").Theme} */ ("auto"));
export const isDark = signal(false);
/** What the map shows now, told to those who do not see it, at most once a second. */
export const spoken = signal("");
/** What came of the last thing that was done, told before what the map then shows. */
export const outcome = signal("");
/** Counts up when the saved views are to be seen. */
export const storiesOpened = signal(0);

const linkParts = signal(/** @type {LinkPart[]} */ ([]));

/** What a link to this state says; null until there is a state worth a link. */
export const link = computed(() => {
	const parts = linkParts.value.map(({ write }) => write());
	// While dates are on their way the link of before is still true of them; where they fail, the layer is what is shown.
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

/** The link that was followed last, for the parts that come later; only what follows one sets it. */
export const followedLink = signal(/** @type {Link} */ ({}));

/**
 * Lets a part of the viewer say what links tell of it, and hear what a link that is followed says.
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
 * Tells the user something, in place of what was told under the same id.
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
 * Whether a side shows amounts, with which one can reckon, and not pictures, classes or directions; null while that is
 * not known.
 * @param {Side} side
 */
export function hasAmounts({ layer, legend }) {
	if (!layer.value) return null;
	if (layer.value.variable === null || layer.value.full_turn !== undefined) return false;
	return legend.value && legend.value.type !== "classes";
}

/** The name of a notice about a side. @param {Side} side @param {string} about */
export const noticeOf = (side, about) => (side.id === "a" ? about : `${about} ${side.id}`);

/** What tries once more what a notice tells of. @param {() => void} run */
export const tryAgain = (run) => ({ label: text("action.tryAgain"), run });

/** @param {unknown} error */
const reason = (error) => (error instanceof Problem ? error.message : String(error));

/**
 * Asks the server what it has, unless that was asked already, and shows what the link names of it.
 * @param {Link} asked
 * @param {Promise<Layer[] | null>} [listed]
 */
export async function openCatalogue(asked, listed = Promise.resolve(null)) {
	catalogue.value = LOADING;
	try {
		const found = (await listed) ?? (await fetchLayers(new AbortController().signal));
		layers.value = found.map((each) => ({ ...each, styles: each.styles.map(inPageLanguage) }));
		catalogue.value = { phase: "ready", why: "" };
	} catch (error) {
		catalogue.value = { phase: "failed", why: reason(error) };
		return;
	}
	await followLink(asked);
}

/** Shows the layer and date that a link names, or what is nearest to them. @param {Link} asked */
export async function followLink(asked) {
	const before = layer.peek();
	const found = await findLayer(asked.layer);
	// Meanwhile another link may have been followed, or a layer chosen.
	if (!found || followedLink.peek() !== asked || layer.peek() !== before) return;
	if (asked.layer !== undefined && found.isInstead) {
		const message = text("link.unknownLayer", { layer: asked.layer, instead: found.layer.title });
		notify("layer", message);
		missed.value = { link: asked, message, instead: found.layer.id };
	} else missed.value = null;
	if (!asked.view && !asked.bbox && !view.peek())
		destination.value = { bbox: found.layer.bbox, near: points.peek()[0] };
	await openLayer(found.layer, asked);
}

/** The layer of that id or alias, else the first. @param {string | undefined} id */
export async function findLayer(id) {
	const all = layers.peek();
	const wanted = id ?? defaultLayer.peek() ?? undefined;
	const listed = all.find((each) => each.id === wanted);
	if (listed) return { layer: listed, isInstead: false };
	if (wanted !== undefined) {
		const aliased = await fetchLayer(wanted, new AbortController().signal).catch(() => null);
		if (aliased) return { layer: all.find((each) => each.id === aliased.id) ?? aliased, isInstead: false };
	}
	return all.length > 0 ? { layer: all[0], isInstead: true } : null;
}

/**
 * @typedef {{ wish: Wish, loading?: AbortController, clear?: string }} Asked `clear` is the newest date that is
 *   clear, where
 *   the server had to be asked: it may know dates that came since
 */
/** What was asked of the layer that is loading, and what stops that, by side. @type {WeakMap<Side, Asked>} */
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
 * The newest clear date, of a layer whose dates the server has not looked through yet.
 * @param {Layer} of
 * @param {AbortSignal} stopped
 */
const clearDate = ({ id }, stopped) =>
	fetchLayer(id, AbortSignal.any([stopped, AbortSignal.timeout(CLEAR_WAIT_MS)])).then(
		({ times }) => times.clear ?? undefined,
		() => undefined,
	);

/** A layer as it is asked for. @param {Layer} of */
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
 * Index of the requested date, or of the period that contains it, the nearest there is, or the layer's default: where
 * that is its last date, the newest that is clear.
 * @param {Layer} of
 * @param {Pick<TimeDomain, "instants" | "validShares">} domain
 * @param {Asked} [asked]
 */
function indexFor(of, { instants, validShares }, { wish: { date }, clear } = { wish: {} }) {
	if (instants.length === 0) return -1;
	if (date === undefined) {
		const { default: usual, last } = of.times;
		const known = clear ?? (usual === last ? null : usual);
		return known === null ? newestClear(validShares) : indexOfMoment(instants, Date.parse(known));
	}
	const { index, exact } = resolveDate(instants, date);
	if (!exact) {
		const [asked, nearest] = [formatNamed(date, locale()) ?? date, formatInstant(instants[index], locale())];
		notify("date", text("link.noDataThen", { asked, layer: of.title, nearest }));
	}
	return index;
}

/** The sides that there are now. */
const sidesNow = () => [...comparedSides.peek(), ...extras.peek().map(({ side }) => side)];

/**
 * Changes what makes dates of sides to periods; each side then shows the period that its date is in, or the other
 * way round.
 * @param {() => void} change @param {Side[]} [sides]
 */
export function regroup(change, sides = sidesNow()) {
	const before = sides.map((side) => side.instant.peek()?.ms);
	// What draws the dates of before knows no others, and is gone only when all has heard of them.
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

/** Asks once more for the dates of the layer. @param {Side} [side] */
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

/** How many places are looked at side by side: as many as PLACE_COLOURS tells apart. */
export const MAX_PLACES = 8;
/** Of marks and lines, in the order in which they are given out; app.css has them for both themes. */
const PLACE_COLOURS = Array.from({ length: MAX_PLACES }, (_, index) => `--place-${index + 1}`);

/** What stands on a place's mark and beside its name, so that its colour is not alone. @param {Place} place */
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

/** The points that are looked at. */
export const points = computed(() =>
	places.value.filter(isPoint).map(({ geometry }) => {
		const [lon, lat] = /** @type {number[]} */ (geometry.coordinates);
		return { lon, lat };
	}),
);

/**
 * Looks at a place, in place of the last one unless that is kept.
 * @param {Geometry} geometry @param {string} name @param {boolean} isKept whether those that are there stay
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

/** @param {Point} point @param {boolean} [isKept] whether the places that are there stay */
export const choosePoint = ({ lon, lat }, isKept = false) =>
	choosePlace({ type: "Point", coordinates: [lon, lat] }, "", isKept);

/** What a click on the map, or Enter in its middle, chooses there. */
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

/** Takes over what a link says beside layer and date, which take a question to the server. @param {Link} asked */
export function applyLink(asked) {
	batch(() => {
		followedLink.value = asked;
		const known = BACKGROUNDS.peek().some(({ id }) => id === asked.bgLayer);
		if (asked.bgLayer !== undefined && !known) {
			notify("background", text("link.unknownBackground", { background: asked.bgLayer }));
		}
		background.value = known ? /** @type {string} */ (asked.bgLayer) : usualBackground();
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
		// Until it is known how periods are made, there are none.
		if ((asked.slot || asked.date2 === "usual") && !grouping.peek()) grouping.value = () => NO_TIMES;
		for (const { read } of linkParts.peek()) read(asked);
	});
	// Which colours the page wears is known when all have read the link.
	if (asked.bgLayer === undefined) background.value = usualBackground();
}

/** The land of our own that suits the colours of the page. */
export const ownLand = () => (isDark.peek() ? "NaturalEarth_Dark" : "NaturalEarth");

/** The default background. */
const usualBackground = () => defaultBackground.peek() ?? ownLand();

/** Tells what was wrong with a link, all in one message. @param {Fault[]} faults */
export function reportFaults(faults) {
	if (faults.length === 0) return;
	const told = faults.map(({ key, value, expected }) =>
		text("link.badValue", { key, value: value.slice(0, 80), expected: text(expected.key, expected.values) }),
	);
	notify("parameters", text("link.badParameters", { count: told.length, list: told.join("; ") }));
}
