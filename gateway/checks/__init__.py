"""What ``retinagate doctor`` looks at: one module a subject, none of which changes anything."""
