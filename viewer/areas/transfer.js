/**
 * Areas into the browser and out of it: files that are chosen, dropped on the page or pasted as text, and files to
 * keep.
 *
 * @typedef {import("./formats/read-geojson.js").Findings} Findings
 * @typedef {import("./store.js").Area} Area
 */
import { fetchShapes } from "../base/api.js";
import { chooseFiles, saveFile, saveTable } from "../base/save.js";
import { dismiss, notify } from "../base/state.js";
import { text } from "../base/text.js";
import { MAX_FILE, parseStory } from "../stories/story.js";
import { AreaFault, LIMITS } from "./formats/faults.js";
import { formatTable } from "./formats/place-tables.js";
import { readFile, readText } from "./formats/read-files.js";
import { fileName, formatGeoJson } from "./formats/write-files.js";
import { addMeasured } from "./measured-series.js";
import { addFileSet } from "./place-sets.js";
import { countCorners, selfCrossing } from "./shapes/geometry.js";
import { addAreas, zoomToAreas } from "./store.js";

/** Number of areas of a file that get a chart immediately: as many as fit into a link. */
const CHARTED_AT_ONCE = 3;
/** Number of reasons shown for skipped areas. */
const REASONS = 3;
const NOTICE = "areas file";

const ACCEPTED =
	".geojson,.json,.kml,.kmz,.gpx,.zip,.gpkg,.wkt,.csv,.tsv,.txt,application/geo+json,text/csv,text/plain";

/** Why something could not be read. @param {unknown} error */
const whyOf = (error) => (error instanceof AreaFault ? error.message : String(error));

/** Reads files and adds their areas. @param {Iterable<File>} files */
export async function takeFiles(files) {
	dismiss(NOTICE);
	for (const file of files) {
		try {
			const story = await storyIn(file);
			if (story) (await import("../stories/story-player.js")).openStory(story);
			else takeFindings(await readFile(file, fetchShapes), file.name);
		} catch (error) {
			notify(NOTICE, text("areas.notRead", { file: file.name, why: whyOf(error) }));
			return;
		}
	}
}

/** @param {File} file */
const storyIn = async (file) =>
	file.name.endsWith(".json") && file.size <= MAX_FILE ? parseStory(await file.text()) : null;

/** Adds the areas of a text; returns the reason if it cannot be read. @param {string} source */
export async function takeText(source) {
	try {
		takeFindings(await readText(source), text("areas.pasted"));
		return "";
	} catch (error) {
		return whyOf(error);
	}
}

/** @param {Findings} findings @param {string} from */
function takeFindings({ areas, leftOut, measured = [] }, from) {
	if (measured.length > 0) {
		addMeasured(measured);
		notify(NOTICE, text("areas.readMeasured", { file: from, count: measured.length }));
		return;
	}
	const corners = areas.reduce((sum, { geometry }) => sum + countCorners(geometry), 0);
	const isSet = areas.length > LIMITS.areas || corners > LIMITS.corners;
	const added = isSet ? areas : addAreas(areas, { isCharted: areas.length <= CHARTED_AT_ONCE });
	if (added.length === 0) return;
	if (isSet) addFileSet(from, areas);
	zoomToAreas(added);
	const crossing = isSet ? [] : added.filter(({ geometry }) => selfCrossing(geometry) !== null);
	const told = [
		text(isSet ? "areas.readSet" : "areas.read", { file: from, count: added.length }),
		...leftOut.slice(0, REASONS),
		leftOut.length > REASONS ? text("areas.moreLeftOut", { count: leftOut.length - REASONS }) : "",
		crossing.length > 0 ? text("areas.someCross", { count: crossing.length, name: crossing[0].name }) : "",
	];
	notify(NOTICE, told.filter((words) => words !== "").join(" "));
}

/** Opens the browser's dialog for files. */
export const askForFiles = () => chooseFiles({ multiple: true, accept: ACCEPTED }, takeFiles);

/** @param {Area[]} areas @param {"GeoJSON" | "CSV"} format */
export function saveAreas(areas, format) {
	const name = fileName(areas.length === 1 ? areas[0].name : text("areas.fileName"), format.toLowerCase());
	if (format === "CSV") saveTable(formatTable(areas), name);
	else saveFile(new Blob([formatGeoJson(areas)], { type: "application/geo+json" }), name);
}
