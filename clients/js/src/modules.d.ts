/** What the build puts in place of these: the text of a style sheet, and that of the worker with all that it imports. */
declare module "*.css" {
	const text: string;
	export default text;
}
declare module "text:worker" {
	const text: string;
	export default text;
}
