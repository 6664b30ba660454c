import assert from "node:assert/strict";
import { test } from "node:test";
import {
	formatStory,
	MAX_FILE,
	MAX_TEXT,
	MAX_VIEWS,
	packStory,
	parseStory,
	readingMs,
	unpackStory,
} from "../../../viewer/stories/story.js";

const VIEW = {
	title: "Mai <b>2019</b>",
	text: "Première\nligne 🌾",
	link: "?layer=ndvi&date=2019-05-01&view=3.7,51,12&style=numbers",
};
const STORY = {
	title: "Une histoire",
	views: [VIEW, { ...VIEW, title: "June", link: "?layer=ndvi&compare=swipe&date2=2019-06-10" }],
};
/** @param {object} view */
const documentOf = (view) => JSON.stringify({ type: "chronotile-story", version: 1, title: "t", views: [view] });

test("a story is the same after a file and after an address", async () => {
	assert.deepEqual(parseStory(formatStory(STORY)), STORY);
	const packed = await packStory(STORY);
	assert.match(packed ?? "", /^[\w-]+$/);
	assert.deepEqual(await unpackStory(packed ?? ""), STORY);
});

test("what is no story, is damaged or too large is none", async () => {
	for (const source of [
		"",
		"{",
		"[]",
		"null",
		'{"type":"FeatureCollection","features":[]}',
		'{"type":"chronotile-story"}',
		" ".repeat(MAX_FILE + 1),
	])
		assert.equal(parseStory(source), null);
	for (const packed of ["", "A", "!!!!", "AAAA", "A".repeat(10_000)]) assert.equal(await unpackStory(packed), null);
});

test("a story that is too large for an address has none", async () => {
	const words = (/** @type {number} */ from) =>
		Array.from({ length: 300 }, (_, at) =>
			Math.abs(Math.sin(from + at))
				.toString(36)
				.slice(2),
		).join(" ");
	const views = Array.from({ length: 8 }, (_, at) => ({ ...VIEW, text: words(1000 * at).slice(0, MAX_TEXT) }));
	assert.equal(await packStory({ title: "", views }), null);
});

test("an address that unpacks to more than a file may have is refused", async () => {
	const stream = new Blob(["x".repeat(MAX_FILE + 5_000_000)])
		.stream()
		.pipeThrough(new CompressionStream("deflate-raw"));
	const packed = Buffer.from(await new Response(stream).arrayBuffer()).toString("base64url");
	assert.equal(await unpackStory(packed.slice(0, 8000)), null);
});

test("views of strangers are bounded, and their links say what links of the viewer may", () => {
	const views = Array.from({ length: MAX_VIEWS + 20 }, () => VIEW);
	assert.equal(parseStory(JSON.stringify({ type: "chronotile-story", views }))?.views.length, MAX_VIEWS);
	const [view] =
		parseStory(
			documentOf({
				title: "a\u202eb\u0000".padEnd(500, "x"),
				text: 7,
				link: "?layer=ndvi&evil=1&theme=dark&language=de&embed=1&story=x.json&fps=1e9",
			}),
		)?.views ?? [];
	assert.deepEqual(
		[view.title.length <= 120, view.title.startsWith("abx"), view.text, view.link],
		[true, true, "", "?layer=ndvi"],
	);
	assert.deepEqual(parseStory(documentOf({ title: "", text: "", link: `?layer=${"x".repeat(7000)}` }))?.views, []);
	assert.deepEqual(parseStory(documentOf({ title: "", text: "", link: 3 }))?.views, []);
});

test("time for reading grows with the words", () => {
	assert.ok(readingMs(VIEW) >= 4000 && readingMs(VIEW) < readingMs({ ...VIEW, text: "one two three ".repeat(30) }));
});
