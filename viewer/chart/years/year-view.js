/**
 * What is drawn of the years: the season chart or the heat map, with the marks on them, as it follows from what the tab
 * knows, the room that there is, and the pointer.
 *
 * @typedef {import("./year-state.js").Years} Years
 * @typedef {import("./year-pointer.js").Spot} Spot
 * @typedef {import("../../base/text.js").TextKey} TextKey
 */
import { colours, cssColour } from "../../base/colours.js";
import { colourReader } from "../../base/elements.js";
import { isDark, sideB } from "../../base/state.js";
import { text } from "../../base/text.js";
import { unitText } from "../../base/units.js";
import { computed, signal } from "../../vendor/signals-core.js";
import { dekadAt } from "./dekads.js";
import { drawHeatMap } from "./heat-map.js";
import { drawMarks, drawYears, layOut } from "./year-drawing.js";
import { valuesAt, yearDayOf } from "./year-lines.js";
import { rangeFor } from "./year-model.js";

/** A press so near a line is on it, and its value so many days away. */
const [NEAR_PX, NEAR_DAYS] = [7, 6];

/** @param {import("../../base/colours.js").Rgba} rgba */
const lightOf = ([red, green, blue]) => 0.3 * red + 0.6 * green + 0.1 * blue;

/** What the axis counts: "NDVI (1)". @param {Years} years */
function titleOf({ line, show }) {
	const { title = "", units = null } = line.value?.layer ?? {};
	const name = units === null ? title : `${title} (${unitText(units) || "1"})`;
	return show.value === "value" ? name : text(/** @type {TextKey} */ (`years.${show.value}Of`), { name });
}

/** @param {Element} root whose colours and letters are drawn in @param {Years} years */
export function makeView(root, years) {
	const { show, month, model, rows, now, year, moment, style, isFit } = years;
	const size = signal({ width: 0, height: 0 });
	/** Where the pointer is. */
	const spot = signal(/** @type {Spot | null} */ (null));
	const paper = computed(() => {
		const colourOf = colourReader(root);
		const stops = (style.value?.stops ?? []).map(({ rgba }) => rgba);
		// The colour of the palette that is seen best on the page.
		const strong = stops.sort((one, other) => lightOf(one) - lightOf(other)).at(isDark.value ? -1 : 0);
		return { ...size.value, colourOf, strong: strong ? cssColour(strong) : colourOf("--accent") };
	});
	const board = computed(() => {
		const [of, kind] = [model.value, show.value];
		if (!of || kind === "dekads" || size.value.width === 0) return null;
		const range = rangeFor(of, kind, isFit.value ? null : (style.value?.range ?? null));
		const told = { title: titleOf(years), isBars: kind === "anomaly" };
		return layOut({ ...of, month: month.value, now: year.value, range, ...told }, paper.value);
	});
	const heat = computed(() => {
		if (!rows.value || !style.value || size.value.width === 0) return null;
		const paint = colours(style.value);
		const fill = (/** @type {number} */ value) => cssColour(paint(value));
		return { ...drawHeatMap({ rows: rows.value, month: month.value, fill }, paper.value), fill };
	});
	/** @returns {SVGElement[]} */
	const draw = () => (board.value ? drawYears(board.value) : (heat.value?.content ?? []));
	/** The day under the pointer. */
	const hovered = computed(() => (spot.value && board.value ? board.value.dayAt(spot.value.x) : null));
	/** The year of a line at the pointer that is not the map's; undefined of none. */
	const near = computed(() => {
		const [of, day, y] = [board.value, hovered.value, spot.value?.y ?? 0];
		if (!of || day === null) return undefined;
		const others = valuesAt(of.lines, day, NEAR_DAYS).filter((each) => each.year !== of.now);
		const away = others.map((each) => ({ ...each, px: Math.abs(of.yOf(each.value) - y) }));
		return away.sort((one, other) => one.px - other.px).find(({ px }) => px <= NEAR_PX)?.year;
	});
	const dekad = (/** @type {Spot | null} */ at) => (at && heat.value ? heat.value.cellAt(at) : null);
	/** @returns {SVGElement[]} the dates of the map and of B, and the day under the pointer */
	const mark = () => {
		const other = sideB.value?.instant.value;
		const days = [now.value?.day, other && yearDayOf(other.ms, month.value).day, hovered.value];
		if (board.value) return drawMarks(board.value, days);
		const cell = rows.value && moment.value !== null ? dekadAt(rows.value, moment.value, month.value) : null;
		return heat.value && cell && cell.row >= 0 ? [heat.value.frame(cell)] : [];
	};
	return { size, spot, paper, board, heat, draw, mark, hovered, near, dekad };
}
