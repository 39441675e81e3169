"""One trial's learning: torch only; knows neither Ray nor where its data come from."""
