<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** What was passed cannot be sent, or is no option. Nothing was sent. */
class InvalidArgument extends \InvalidArgumentException implements InnoAIException
{
}
