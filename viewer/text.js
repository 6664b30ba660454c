/** What the viewer says, in English; one entry an idea, so that another language is one more object. */

/** @param {number} count @param {string} one @param {string} many */
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/** @param {number | null} share @param {string} locale */
const percent = (share, locale) =>
	new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(share ?? 0);

export const text = {
	locale: "en-GB",
	language: "en",

	unreachable: "The server cannot be reached. Check the connection.",
	unreadable: "The server's answer could not be read.",
	/** @param {number} status */
	serverSaid: (status) => `The server answered with error ${status}.`,
	tryAgain: "Try again",
	dismiss: "Dismiss",
	close: "Close",

	loadingLayers: "Loading the layers…",
	noLayers: "This server has no layers yet.",
	/** @param {string} why */
	layersFailed: (why) => `The layers could not be loaded: ${why}`,
	/** @param {string} first @param {string} last @param {number} count */
	extentInTime: (first, last, count) =>
		count === 1 ? `One date: ${first}.` : `${plural(count, "date", "dates")}, from ${first} to ${last}.`,
	noDates: "This layer has no dates: it shows one state.",
	undated: "No date",

	loadingTimes: "Loading the dates…",
	/** @param {string} why */
	timesFailed: (why) => `The dates could not be loaded: ${why}`,
	/** @param {string} date @param {number | null} share */
	dateWithShare(date, share) {
		return share === null ? date : `${date}, ${percent(share, this.locale)} with data`;
	},

	/** @param {string} layer @param {string} date */
	loadingTiles: (layer, date) => `Loading ${layer}${date && `, ${date}`}…`,
	/** @param {string} layer @param {string} date */
	showing: (layer, date) => `${layer}${date && `, ${date}`}`,
	/** @param {number} failed @param {number} total */
	tilesFailed: (failed, total) => `${failed} of ${plural(total, "map tile", "map tiles")} could not be loaded.`,
	/** @param {string} layer @param {string} why */
	layerFailed: (layer, why) => `${layer} cannot be shown: ${why}`,
	/** @param {string} layer */
	outsideView: (layer) => `${layer} has no data in this part of the map.`,
	/** @param {string} layer */
	tooFarOut: (layer) => `Zoom in to see ${layer}.`,
	zoomToLayer: "Zoom to the layer",
	baseMapFailed: "Land and borders could not be loaded; the layers can still be used.",

	loadingLegend: "Loading the legend…",
	/** @param {string} why */
	legendFailed: (why) => `No legend: ${why}`,
	noLegend: "A mixture of colours; there is no scale.",
	/** @param {string} title @param {string} low @param {string} high */
	rampSpoken: (title, low, high) => `Colours of ${title} from ${low} to ${high}`,
	noData: "no data",

	chartFailed: "The chart could not be loaded; try to load the page again.",
	/** @param {string} layer @param {string} place */
	seriesTitle: (layer, place) => `${layer} at ${place}`,
	loadingSeries: "Loading the values…",
	/** @param {string} why */
	seriesFailed: (why) => `No values: ${why}`,
	/** @param {string} layer */
	coloursOnly: (layer) =>
		`${layer} has colours and no values. The place is kept: choose another layer to see its values here.`,
	/** @param {number} total */
	seriesEmpty: (total) =>
		total === 0 ? "There are no dates to show." : `None of the ${plural(total, "date", "dates")} has a value here.`,
	/** @param {{ valid: number, total: number, mean: string, low: string, high: string }} summary */
	seriesSummary: ({ valid, total, mean, low, high }) =>
		`${valid} of ${plural(total, "date", "dates")} with a value; mean ${mean}, lowest ${low}, highest ${high}.`,
	/** @param {string} date @param {string} value */
	valueAt: (date, value) => `${date}: ${value}`,
	showTable: "Values as a table",
	downloadCsv: "Download as CSV",
	date: "Date",
	value: "Value",
	chartLabel: "Chart of the values over time; the table below has the same numbers",

	/** @param {string} key @param {string} value @param {string} expected */
	badParameter: (key, value, expected) => `The link says ${key}=${value}, which is not ${expected}; it was ignored.`,
	/** @param {string} layer @param {string} instead */
	unknownLayer: (layer, instead) => `There is no layer ${layer} here; ${instead} is shown instead.`,
	/** @param {string} style @param {string} instead */
	unknownStyle: (style, instead) => `There is no style ${style} for this layer; ${instead} is shown instead.`,
	/** @param {string} background */
	unknownBackground: (background) => `There is no background ${background} here; Natural Earth is shown instead.`,
	/** @param {string} language */
	unknownLanguage: (language) => `The viewer does not speak “${language}” yet; it is shown in English.`,
	/** @param {string} asked @param {string} layer @param {string} nearest */
	noDataThen: (asked, layer, nearest) => `${layer} has no data of ${asked}; the nearest date is ${nearest}.`,
	/** @param {number} count */
	onlyFirstPoint: (count) => `The link names ${count} places; the first one is shown.`,

	baseMapCredit: "Base map: Natural Earth.",
};
