"""What more time would bring a search: an interval of the gain, calibrated on replays."""
