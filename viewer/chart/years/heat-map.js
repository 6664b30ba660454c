/**
 * The heat map of a series: one row per year and one column per dekad, in the colours of the layer; hatched where a dekad has no value.
 *
 * @typedef {{ rows: import("./dekads.js").DekadRow[], month: number, fill: (value: number) => string }} HeatPicture
 */
import { label, makeSvg } from "../series/figure.js";
import { DEKADS } from "./dekads.js";
import { monthsFrom } from "./year-drawing.js";
import { yearName } from "./year-lines.js";

const ROOM = { left: 50, right: 6, top: 20, bottom: 4 };
const ROW_PX = { least: 12, most: 34 };
const HATCH = "years-hatch";

/** @param {HeatPicture} picture @param {import("./year-drawing.js").Paper} paper */
export function drawHeatMap({ rows, month, fill }, { width, height, colourOf }) {
	const own = Math.floor((height - ROOM.top - ROOM.bottom) / Math.max(1, rows.length));
	const tall = Math.max(ROW_PX.least, Math.min(ROW_PX.most, own));
	const wide = (width - ROOM.left - ROOM.right) / DEKADS;
	const ink = colourOf("--text-soft");
	const boxAt = (/** @type {number} */ row, /** @type {number} */ column) => ({
		...{ x: ROOM.left + column * wide, y: ROOM.top + row * tall, width: Math.max(1, wide - 1), height: tall - 1 },
	});
	const hatch = { id: HATCH, width: 5, height: 5, patternUnits: "userSpaceOnUse" };
	const months = monthsFrom(month, wide * 3).map(({ name }, index) =>
		label(ROOM.left + (3 * index + 1.5) * wide, 14, ink, name, { "text-anchor": "middle" }),
	);
	const drawn = rows.flatMap(({ year, cells }, row) => [
		label(ROOM.left - 6, ROOM.top + (row + 0.5) * tall + 4, ink, yearName(year, month), { "text-anchor": "end" }),
		...cells.flatMap((cell, column) => {
			const colour = cell?.value === null ? `url(#${HATCH})` : fill(cell?.value ?? 0);
			const look = { fill: colour, stroke: cell?.value === null ? colourOf("--line") : undefined };
			return cell ? [makeSvg("rect", { ...boxAt(row, column), ...look })] : [];
		}),
	]);
	const defs = makeSvg("defs", {}, makeSvg("pattern", hatch, makeSvg("path", { d: "M0 5L5 0", stroke: ink })));
	/** A frame around a cell. @param {{ row: number, column: number }} at */
	const frame = ({ row, column }) =>
		makeSvg("rect", { ...boxAt(row, column), fill: "none", stroke: colourOf("--text"), "stroke-width": 2.5 });
	/** The cell at a place of the drawing; null where there is none. @param {{ x: number, y: number }} at */
	const cellAt = ({ x, y }) =>
		rows[Math.floor((y - ROOM.top) / tall)]?.cells[Math.floor((x - ROOM.left) / wide)] ?? null;
	return { content: [defs, ...months, ...drawn], height: ROOM.top + rows.length * tall + ROOM.bottom, frame, cellAt };
}
