"""Conservation: the sums that everybody shows, and the proof of them by three accounts."""
