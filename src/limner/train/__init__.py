"""What the trainings share: run folder, crops, optimizers, losses, metrics, distillation."""
