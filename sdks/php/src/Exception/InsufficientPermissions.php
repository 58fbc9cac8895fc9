<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 403: the credential lacks `required_scope`. */
final class InsufficientPermissions extends PermissionDeniedError
{
}
