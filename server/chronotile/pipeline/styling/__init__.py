"""Values become colours: styles, painting, legends."""
