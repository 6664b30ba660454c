"""Collections and results of jobs written as static STAC catalogues, with their files (docs/design/publishing.md)."""
