"""What a push needs: the far side's API, and the frames that it lacks."""
