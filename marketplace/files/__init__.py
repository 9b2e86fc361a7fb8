"""Files and images: where they are kept, how they are decoded."""
