"""What every training needs."""
