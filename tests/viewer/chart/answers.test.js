import assert from "node:assert/strict";
import { test } from "node:test";
import { Answers } from "../../../viewer/chart/series/answers.js";

/** Answers whose requests the test answers. */
function makeBench() {
	/**
	 * @type
	 *   {{ keys: string[], signal: AbortSignal, resolve: (values: string[]) => void, reject: (error: Error) => void }[]}
	 */
	const asked = [];
	/** @type {Answers<string>} */
	const answers = new Answers();
	/** @param {string[]} wanted */
	const want = (wanted) =>
		answers.follow(
			wanted.map((key) => ({ key })),
			(questions, signal) =>
				new Promise((resolve, reject) =>
					asked.push({ keys: questions.map(({ key }) => key), signal, resolve, reject }),
				),
			() => "all at once",
		);
	return { answers, asked, want };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what is wanted is asked for once, whoever wants it again", async () => {
	const { answers, asked, want } = makeBench();
	want(["a", "b", "a"]);
	want(["b", "a"]);
	assert.equal(answers.get("a")?.phase, "loading");
	asked[0].resolve(["of a", "of b"]);
	await settled();
	want(["a"]);

	assert.deepEqual(
		asked.map(({ keys }) => keys),
		[["a", "b"]],
	);
	assert.deepEqual([answers.get("a")?.value, answers.get("b")?.value], ["of a", "of b"]);
});

test("only what is not known yet is asked for", async () => {
	const { asked, want } = makeBench();
	want(["a"]);
	asked[0].resolve(["of a"]);
	await settled();
	want(["a", "b"]);

	assert.deepEqual(asked[1].keys, ["b"]);
});

test("what nobody wants any more is stopped, and asked for anew when it is wanted again", async () => {
	const { answers, asked, want } = makeBench();
	want(["a"]);
	want(["b"]);
	assert.ok(asked[0].signal.aborted);
	asked[0].reject(new Error("stopped"));
	await settled();
	assert.equal(answers.get("a"), undefined);
	want(["a", "b"]);

	assert.deepEqual(asked[2].keys, ["a"]);
});

test("a question is not stopped while one of its answers is wanted", () => {
	const { asked, want } = makeBench();
	want(["a", "b"]);
	want(["b"]);

	assert.equal(asked[0].signal.aborted, false);
});

test("a failure says why, and is forgotten for another try", async () => {
	const { answers, asked, want } = makeBench();
	want(["a"]);
	asked[0].reject(new Error("the source is away"));
	await settled();
	assert.deepEqual([answers.get("a")?.phase, answers.get("a")?.error?.message], ["failed", "the source is away"]);
	want(["a"]);
	assert.equal(asked.length, 1);
	answers.forget(["a"]);
	want(["a"]);

	assert.equal(asked.length, 2);
});

test("the last answers are remembered, not all", async () => {
	const { answers, asked, want } = makeBench();
	const many = Array.from({ length: 60 }, (_, index) => `key ${index}`);
	want(many);
	asked[0].resolve(many);
	await settled();
	want(["key 60"]);
	asked[1].resolve(["key 60"]);
	await settled();

	assert.equal(answers.get("key 0"), undefined);
	assert.equal(answers.get("key 59")?.value, "key 59");
});

test("what is wanted is remembered, however many others came since", async () => {
	const { answers, asked, want } = makeBench();
	want(["kept"]);
	asked[0].resolve(["of kept"]);
	for (let time = 0; time < 100; time++) {
		want(["kept", `other ${time}`]);
		asked[time + 1].resolve([`of ${time}`]);
		await settled();
	}

	assert.equal(answers.get("kept")?.value, "of kept");
	assert.equal(asked.length, 101);
	assert.ok(answers.all.peek().size <= 48);
	assert.equal(answers.get("other 0"), undefined);
});
