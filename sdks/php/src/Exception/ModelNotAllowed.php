<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 403: the model exists, but not for this credential. */
final class ModelNotAllowed extends PermissionDeniedError
{
}
