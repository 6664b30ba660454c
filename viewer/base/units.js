/** Units for people; pure. Programs get the units of the source. */

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/**
 * A symbol and its power: `m^-3`, `m**2`; without an operator only negative powers of up to three letters, as `m-3`
 * (Sentinel-2 is none), and positive ones of metres and seconds, as `m2` (CO2 is none).
 */
const POWER =
	/(?<![\p{L}\d])(\p{L}+)(?:(?:\^|\*\*)\+?(-?\d+)|(?<=(?<!\p{L})\p{L}{1,3})(-\d+)|(?<=(?<!\p{L})(?:[kcdmµ]?m|s))(\d))(?![\p{L}\d])/gu;

/** Returns a unit with superscript powers; empty for a plain number. @param {string | null | undefined} units */
export function unitText(units) {
	if (!units || units === "1") return "";
	return units.replace(POWER, (_, symbol, ...powers) => {
		const power = /** @type {string} */ (powers.slice(0, 3).find((each) => each !== undefined));
		return symbol + [...power].map((sign) => RAISED[/** @type {keyof typeof RAISED} */ (sign)]).join("");
	});
}

/** A name with its unit: "NDVI (m)". @param {string} title @param {string | null | undefined} units */
export const titled = (title, units) => (unitText(units) ? `${title} (${unitText(units)})` : title);
