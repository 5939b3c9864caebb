"""From ink to network input: strokes, uploads and stored ink, and every step of their preparation."""
