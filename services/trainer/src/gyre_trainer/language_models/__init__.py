"""What the recipes that train a language model share: settings, weights, export, comparing."""
