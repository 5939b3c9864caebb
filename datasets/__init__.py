"""Where images come from: MNIST, pen digits, the digits that come with scikit-learn, and the download of MNIST."""
