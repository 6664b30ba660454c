/** The time of the visible data in words: a date, or a period and how its values are combined. */
import { formatDate, formatInstant, formatPartOfYear } from "./dates.js";
import { locale, text } from "./text.js";

/** @typedef {import("./dates.js").Instant} Instant */
/** @typedef {import("./state.js").Periods} Periods */

/**
 * Returns the name of usual values, of a part of the year or of the whole year.
 * @param {string} part
 * @param {string} years
 */
const usualText = (part, years) => text("when.usual", { part, years }).replace(/\s+/g, " ");

/**
 * Returns the name of an anomaly: values of a layer minus usual ones.
 * @param {string} title of the layer
 * @param {Periods} periods
 */
export const anomalyTitle = (title, { years }) => text("when.anomaly", { period: title, usual: usualText("", years) });

/** @param {Instant} instant @param {Periods} [periods] that contain it @param {"long" | "short"} [month] */
export function whenText(instant, periods, month) {
	const period = formatInstant(instant, locale(), month);
	if (!periods) return period;
	const { method, years } = periods;
	const usual = usualText(formatPartOfYear(instant, locale(), month), years);
	if (method === "usual" || method === "usual_dates") return usual;
	if (method === "anomaly") return text("when.anomaly", { period, usual });
	if (method === "clearest")
		return text("when.clearest", { period, date: formatDate(Date.parse(instant.text), locale()) });
	return text(`when.${method}`, { period });
}

/** Returns the period of a layer in words; empty without dates. @param {import("./api.js").Layer} of */
export function extentInTime({ times: { first, last, count } }) {
	if (first === null || last === null) return "";
	const write = (/** @type {string} */ time) => formatDate(Date.parse(time), locale());
	return text("layers.extentInTime", { first: write(first), last: write(last), count });
}
