from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscribers", "0002_say_address_in_plain_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscriber",
            name="language",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Of mails; empty: the page's own.", max_length=16
            ),
        ),
    ]
