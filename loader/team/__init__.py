"""What a team decides for itself: its folder `evalmart/`, made and edited."""
