/** A film as MP4 or WebM, encoded by the browser (WebCodecs) and put into its container by mediabunny. */
import {
	BufferTarget,
	CanvasSource,
	canEncodeVideo,
	Mp4OutputFormat,
	Output,
	QUALITY_HIGH,
	WebMOutputFormat,
} from "../vendor/mediabunny.js";

/**
 * @typedef {"mp4" | "webm"} VideoKind
 * @typedef {"avc" | "vp9" | "vp8"} Codec
 * @typedef {{ width: number, height: number }} Size
 * @typedef {import("./film-maker.js").Writer} Writer
 */

/** In the order of preference. @type {Record<VideoKind, Codec[]>} */
const CODECS = { mp4: ["avc"], webm: ["vp9", "vp8"] };
/** Seconds between key frames, so that players can go to any date immediately. */
const KEY_FRAMES_S = 2;

/**
 * Returns the codec with which this browser can make a film; null if it cannot.
 * @param {VideoKind} kind
 * @param {Size} size
 * @returns {Promise<Codec | null>}
 */
export async function codecFor(kind, size) {
	if (!("VideoEncoder" in window)) return null;
	for (const codec of CODECS[kind]) {
		if (await canEncodeVideo(codec, { ...size, quality: QUALITY_HIGH })) return codec;
	}
	return null;
}

/**
 * @param {HTMLCanvasElement} canvas on which each frame is drawn; width and height are even
 * @param {{ kind: VideoKind, codec: Codec, fps: number }} film @returns {Promise<Writer>}
 */
export async function startVideo(canvas, { kind, codec, fps }) {
	const target = new BufferTarget();
	const format = kind === "mp4" ? new Mp4OutputFormat({ fastStart: "in-memory" }) : new WebMOutputFormat();
	const output = new Output({ format, target });
	const source = new CanvasSource(canvas, { codec, quality: QUALITY_HIGH, keyFrameInterval: KEY_FRAMES_S });
	output.addVideoTrack(source, { frameRate: fps });
	await output.start();
	return {
		add: (frame) => source.add(frame / fps, 1 / fps),
		end: async () => {
			await output.finalize();
			return new Blob([/** @type {ArrayBuffer} */ (target.buffer)], { type: `video/${kind}` });
		},
		cancel: () => void output.cancel(),
	};
}
